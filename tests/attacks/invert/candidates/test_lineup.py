from __future__ import annotations

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import Scenario, run
from attacks.invert import Threat
from attacks.invert.bounds import guarantee, named_at_most
from attacks.invert.candidates import lineup as candidates
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.candidates.rank import rank
from attacks.invert.show import count_named, table
from defenses import BadInput
from reports.estimates import NOTHING, Estimate
from tests.conftest import configured, random_gradients, seeded

N = 64


def knowing(defense, adaptive=True):
    none = torch.zeros(0)  # ranks look at the defense only
    return Threat(defense, adaptive, (1, 1, 1), 2, 1, none, none)


def play(defense, grads, truth, draw, adaptive=True):
    """The rank of candidate ``truth`` among per-example gradients of N candidates."""
    own = {k: g[truth : truth + 1] for k, g in grads.items()}
    rest = {k: torch.cat([g[:truth], g[truth + 1 :]]) for k, g in grads.items()}
    release = defense.release(own, generator=draw)
    return rank(release, knowing(defense, adaptive), own, [rest], generator=draw)


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("defense", ["none", "dpsgd", "dprs"])
def test_without_noise_every_photograph_is_named(defense, adaptive, observe, lenet, auxiliary):
    lineup = Lineup.of(lenet, cross_entropy, auxiliary.images[1:N], auxiliary.labels[1:N])
    assert lineup.size == N
    shield = configured(defense, noise_multiplier=0.0, rate=0.9)
    for index in range(4):
        release, threat, images, labels = observe(lenet, shield, index, adaptive=adaptive)
        own = victims.per_example_gradients(lenet, cross_entropy, images, labels)
        assert lineup.rank(release, threat, own, generator=seeded()) == 1


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "noise", [pytest.param(0.5, marks=SLOW), 1.0, pytest.param(2.0, marks=SLOW)]
)
def test_the_adaptive_attack_is_as_good_as_the_paper_allows_and_no_better(noise):
    """Orthogonal gradients longer than the clipping norm: the best that N candidates can be."""
    draw = seeded(int(10 * noise))
    flat = 5 * torch.linalg.qr(torch.randn(80, N, generator=draw)).Q.T
    grads = {"weight": flat[:, :72].reshape(N, 8, 9), "bias": flat[:, 72:]}
    defense = configured("dpsgd", noise_multiplier=noise)
    count = 300
    hits = sum(play(defense, grads, i % N, draw) == 1 for i in range(count))
    found = Estimate.share(hits, count)
    bound = named_at_most(N, noise)
    # The true candidate's statistic is N(1/sigma, 1), the others' are N(0, 1).
    exact = quad(lambda z: norm.pdf(z) * norm.cdf(z + 1 / noise) ** (N - 1), -8, 8)[0]
    assert 0.8 * bound < exact <= bound
    assert found.low <= exact <= found.high
    assert found.low <= bound


@pytest.mark.parametrize("adaptive", [True, False])
def test_huge_noise_leaves_guessing(adaptive):
    grads, draw, count, size = random_gradients(batch=8), seeded(), 200, 8
    defense = configured("dpsgd", noise_multiplier=1e6)
    ranks = [play(defense, grads, i % size, draw, adaptive) for i in range(count)]
    for place in (1, size):
        found = Estimate.share(ranks.count(place), count)
        assert found.low <= 1 / size <= found.high
    assert set(ranks) == set(range(1, size + 1))


def test_candidates_that_explain_alike_share_their_places():
    """Also where rounding alone tells them apart, or the release shows nothing."""
    one = random_gradients(batch=1)
    same = {
        k: g * (1 + 1e-7 * torch.arange(4).reshape(-1, *[1] * (g.ndim - 1))) for k, g in one.items()
    }
    draw = seeded()
    for grads in (same, {k: 0 * g for k, g in same.items()}):
        for adaptive in (True, False):
            ranks = [play(configured("none"), grads, 0, draw, adaptive) for _ in range(200)]
            assert all(30 < ranks.count(place) < 70 for place in (1, 2, 3, 4))


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("name", defenses.names())
def test_every_defense_is_played(name, adaptive):
    grads = random_gradients(batch=8, seed=3)
    quiet = configured(name, noise_multiplier=0.0)
    assert [play(quiet, grads, i, seeded(i), adaptive) for i in range(4)] == [1, 1, 1, 1]
    loud = configured(name)
    ranks = [play(loud, grads, i, seeded(i), adaptive) for i in range(4)]
    assert ranks == [play(loud, grads, i, seeded(i), adaptive) for i in range(4)]
    assert all(1 <= r <= 8 for r in ranks)


def test_an_adversary_who_ignores_the_defense_cannot_tell_lengths_apart():
    """Candidates in pairs, one twice the other, both below the clipping norm."""
    one = random_gradients(batch=4, scale=0.01)
    grads = {k: torch.cat([g, 2 * g]) for k, g in one.items()}
    defense = configured("dprs", noise_multiplier=1e-4)
    draw = seeded()
    assert all(play(defense, grads, i % 8, draw) == 1 for i in range(40))
    naive = [play(defense, grads, i % 8, draw, adaptive=False) for i in range(40)]
    assert set(naive) == {1, 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", [0, 3])
def test_nan_and_infinity_are_refused(value, where):
    grads = random_gradients(batch=8)
    defense = configured("dprs")
    release = defense.release({k: g[:1] for k, g in grads.items()}, generator=seeded())
    grads["bias"][where, 5] = value
    own, rest = ({k: g[s] for k, g in grads.items()} for s in (slice(1), slice(1, None)))
    with pytest.raises(BadInput, match="NaN or infinite"):
        rank(release, knowing(defense, False), own, [rest], generator=seeded())


def test_gradients_made_again_give_the_same_rank(observe, lenet, auxiliary, monkeypatch):
    release, threat, images, labels = observe(lenet, configured("dprs", noise_multiplier=3.0))
    own = victims.per_example_gradients(lenet, cross_entropy, images, labels)

    def place():
        lineup = Lineup.of(lenet, cross_entropy, auxiliary.images[1:N], auxiliary.labels[1:N])
        return lineup.rank(release, threat, own, generator=seeded()), lineup._kept is not None

    first, kept = place()
    assert kept
    monkeypatch.setattr(candidates, "KEPT_VALUES", 1000)
    monkeypatch.setattr(candidates, "SLICE_VALUES", 100_000)
    assert place() == (first, False)


def test_the_bound_knows_its_candidates():
    assert named_at_most(2, 1.0) == pytest.approx(norm.cdf(1.0))
    assert named_at_most(64, 0.0) == 1.0
    assert named_at_most(64, 1e9) == pytest.approx(1 / 64)
    bound = guarantee(configured("dprs", noise_multiplier=2.0), 1e-5, 64)
    assert bound["candidates"] == 64
    assert bound["top1"] == named_at_most(64, 2.0) > bound["top1_of_1000"]
    assert guarantee(configured("gaussian"), 1e-5, 64)["top1"] == 1.0
    assert guarantee(configured("dpsgd"), 1e-5)["top1"] is None


def test_a_study_records_ranks_and_the_ceiling():
    small = {"data": "digits", "model": "linear", "images": 2, "attack": "prior"}
    record = run(Scenario(**small, defense_options={"noise_multiplier": 0.01}))
    assert all(row["rank"] == 1 for row in record.rows if row["defense"] == "none")
    assert all(1 <= row["rank"] <= N for row in record.rows)
    ceilings = {(r["defense"], r["image"], r["fisher_psnr"]) for r in record.rows}
    assert len(ceilings) == 10  # the same for both columns; dprs has three rounds
    assert all((r["fisher_psnr"] is None) == (r["defense"] == "none") for r in record.rows)
    assert record.summary["none/adaptive"]["top1"] == Estimate.share(2, 2).document()
    assert record.bounds["dprs"]["candidates"] == N
    lines = table(record).splitlines()
    assert lines[2].endswith("1 of 64")
    assert any(line.endswith(" 2/2") for line in lines)
    pairs = run(Scenario(**small, batch=2))
    assert {(r["rank"], r["fisher_psnr"]) for r in pairs.rows} == {(None, None)}
    assert pairs.summary["dprs/naive"]["top1"]["n"] == 0
    assert pairs.bounds["dprs"]["top1"] is None
    assert "1 of" not in table(pairs).splitlines()[2]
    assert count_named(pairs.rows) == "-"


def test_share_is_exact():
    assert Estimate.share(0, 0) == NOTHING
    none = Estimate.share(0, 10)
    assert (none.mean, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025**0.1)
    assert Estimate.share(10, 10).low == pytest.approx(0.025**0.1)
