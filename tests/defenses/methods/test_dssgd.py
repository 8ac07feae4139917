from __future__ import annotations

import numpy as np
import pytest
import torch

import defenses
from defenses import BadInput
from defenses.gradients import flat
from tests.conftest import random_gradients, seeded


def released(name="dssgd", grads=None, **options):
    grads = random_gradients() if grads is None else grads
    return defenses.get(name, **options).release(grads, generator=seeded())


def mean(grads):
    return flat({k: g.mean(0) for k, g in grads.items()})


@pytest.mark.parametrize("theta", [1.0, 0.1, 0.01, 0.0001])
def test_largest_sends_the_largest_share_and_at_least_one(theta):
    release = released(theta_u=theta)
    sent, true = flat(release.update), mean(random_gradients())
    count = max(1, int(1240 * theta))
    assert int(sent.count_nonzero()) == count
    assert set(sent.nonzero()[:, 0].tolist()) == set(true.abs().topk(count).indices.tolist())
    assert torch.equal(sent[sent != 0], true[sent != 0])
    assert release.wire_bytes == (4 if theta == 1 else 8) * count


def test_random_draws_above_tau_alone_and_every_one_as_often():
    true = mean(random_gradients()).abs()
    tau = float(true.median())
    shield = defenses.get("dssgd", selection="random", theta_u=0.1, tau=tau)
    hits = torch.zeros(1240)
    for seed in range(300):
        hits += flat(shield.release(random_gradients(), generator=seeded(seed)).update) != 0
    assert not hits[true <= tau].any()
    drawn = hits[true > tau]
    assert int(hits.sum()) == 300 * 124
    expected = 300 * 124 / 620
    # Five standard deviations of a binomial count, for each of 620.
    assert float((drawn - expected).abs().max()) < 5 * (expected * 0.8) ** 0.5


def test_random_sends_all_that_are_above_tau_where_they_are_fewer():
    true = mean(random_gradients()).abs()
    tau = float(true.topk(11).values[-1])
    sent = flat(released(selection="random", theta_u=0.5, tau=tau).update)
    assert torch.equal(sent != 0, true > tau)


def test_all_sends_everything_whatever_the_share():
    release = released(selection="all", theta_u=0.01)
    assert torch.equal(flat(release.update), mean(random_gradients()))
    assert release.wire_bytes == 4 * 1240


def test_what_is_sent_is_truncated():
    sent, true = flat(released(theta_u=0.3, gamma=0.5).update), mean(random_gradients())
    assert float(sent.abs().max()) == 0.5
    assert torch.equal(sent[sent != 0], true[sent != 0].clamp(-0.5, 0.5))


@pytest.mark.parametrize("percentile", [0, 10, 33.3, 90, 100])
def test_percentile_keeps_what_the_quantile_keeps(percentile):
    true = mean(random_gradients())
    cut = np.percentile(true.abs().double().numpy(), percentile)
    sent = flat(released("percentile", percentile=float(percentile), gamma=10.0).update)
    assert torch.equal(sent != 0, true.abs().double() >= cut - 1e-12)


class TestWhatTheReplayKnows:
    def explained(self, defense, release, value):
        """The replay of gradients that are the released ones but for the first coordinate."""
        guess = {k: v.clone()[None] for k, v in release.update.items()}
        guess["weight"][0, 0, 0] = value
        guess["weight"].requires_grad_()
        made = defense.replay(guess, release)["weight"][0, 0]
        (slope,) = torch.autograd.grad(made, guess["weight"])
        return float(made.detach()), float(slope[0, 0, 0])

    def grads(self, first):
        grads = {k: g[:1] for k, g in random_gradients().items()}
        grads["weight"][0, 0, 0] = first
        return grads

    def test_beyond_the_range_any_size_will_do_and_a_smaller_one_is_pulled_up(self):
        shield = defenses.get("dssgd", gamma=2.0)
        release = shield.release(self.grads(-5.0), generator=seeded())
        assert float(release.update["weight"][0, 0]) == -2
        assert self.explained(shield, release, -7.0) == (-2.0, 0.0)
        assert self.explained(shield, release, -1.0) == (-1.0, 1.0)
        assert self.explained(shield, release, 3.0) == (3.0, 1.0)

    @pytest.mark.parametrize("name", ["dssgd", "percentile"])
    def test_what_was_not_sent_is_no_larger_than_the_least_that_was(self, name):
        shield = defenses.get(name, gamma=10.0)
        release = shield.release(self.grads(0.0), generator=seeded())
        sizes = flat(release.update).abs()
        least = float(sizes[sizes > 0].min())
        assert self.explained(shield, release, least / 2) == (0.0, 0.0)
        made, slope = self.explained(shield, release, -3 * least)
        assert (made, slope) == (pytest.approx(-2 * least, rel=1e-5), 1.0)

    def test_nothing_is_known_of_it_where_all_that_was_sent_is_truncated(self):
        shield = defenses.get("dssgd", gamma=0.1)
        release = shield.release(self.grads(0.0), generator=seeded())
        assert self.explained(shield, release, 5.0) == (0.0, 0.0)

    def test_a_draw_says_nothing_of_others_unless_it_was_short(self):
        full = defenses.get("dssgd", selection="random", tau=0.5, theta_u=0.01)
        release = full.release(self.grads(0.0), generator=seeded())
        assert self.explained(full, release, 5.0) == (0.0, 0.0)
        short = defenses.get("dssgd", selection="random", tau=0.5, theta_u=0.9)
        release = short.release(self.grads(0.0), generator=seeded())
        assert self.explained(short, release, 5.0) == (4.5, 1.0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dssgd+randk", {"rate": 0.5}),
        ("percentile+randk", {"rate": 0.5, "gamma": 10.0}),
        ("dssgd+quantize", {"bits": 4}),
        ("dssgd+quantize", {"bits": 3, "selection": "random", "theta_u": 0.5}),
    ],
)
def test_in_a_chain_the_truth_explains_the_release_up_to_its_noise(name, options):
    """What a later stage drops was not unsent, and is no bound on what was."""
    shield, grads = defenses.get(name, **options), random_gradients()
    release = shield.release(grads, generator=seeded())
    missed = flat(shield.replay(grads, release)) - flat(release.update)
    std = shield.noise(release)
    assert float(missed.square().mean().sqrt()) <= 1.1 * std + 1e-7


def test_options_out_of_range_are_refused():
    for options, message in (
        ({"theta_u": 0.0}, r"theta_u is 0; it must be in \(0, 1\]"),
        ({"theta_u": 1.5}, r"theta_u is 1.5"),
        ({"gamma": 0.0}, "gamma is 0; it must be > 0"),
        ({"selection": "best"}, "unknown selection 'best'; known: largest, random, all"),
    ):
        with pytest.raises(BadInput, match=message):
            defenses.get("dssgd", **options)
