"""A client that normalises by its batch: what its statistics add, and what they take away."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import attacks
from attacks import Scenario, invert
from attacks.invert.bounds import guarantee
from attacks.invert.contract import Threat
from attacks.invert.fisher import fisher_psnr
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import residual
from attacks.invert.show import table
from attacks.invert.victim import Victim
from defenses import BadInput
from reports.scores import assign, psnr
from tests.conftest import configured, seeded
from victims.gradients import LocalSteps
from victims.gradients.batch_norm import by_batch

SHAPE = (1, 8, 8)


def net(image_shape=SHAPE, classes=10):
    return nn.Sequential(
        nn.Conv2d(image_shape[0], 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.Softplus(beta=5),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return by_batch(net().eval())


@pytest.fixture(scope="module")
def observed(model):
    """A release of so many images, what the adversary knows, and the truth."""
    draw = seeded(3)
    centres = torch.rand(10, *SHAPE, generator=draw)
    labels = torch.randint(10, (72,), generator=draw)
    noise = 0.1 * torch.randn(72, *SHAPE, generator=draw)
    everything = (centres[labels] + noise).clamp(0, 1)

    def make(batch, statistics, defense):
        images, names = everything[:batch], labels[:batch]
        victim = Victim(
            model, cross_entropy, defense, local=LocalSteps(1, 1.0, batch), statistics=statistics
        )
        release = victim.release(
            victim.gradients(images, names, generator=seeded()), images, generator=seeded()
        )
        own, said = everything[8:], labels[8:]
        threat = Threat(defense, True, SHAPE, 10, batch, own, said, local=victim.local)
        return release, dataclasses.replace(threat, statistics=statistics), images, names

    return make


def test_sent_statistics_are_part_of_what_candidates_must_explain(model, observed):
    release, threat, images, labels = observed(3, True, configured("none"))
    plain, _, _, _ = observed(3, False, configured("none"))
    assert release.statistics.keys() == {"1.mean", "1.variance"}
    assert release.wire_bytes == plain.wire_bytes + 4 * 8
    compare = residual(model, cross_entropy, release, threat, labels)
    explained, seen = compare(images.double())
    assert torch.allclose(explained, seen, atol=1e-5)
    assert len(seen) == sum(v.numel() for v in release.update.values()) + 8
    brighter = compare(1.1 * images.double())[0]
    assert bool((brighter - seen)[-8:].norm() > 0.01 * seen[-8:].norm())
    assert torch.allclose(seen[-8:].norm(), seen[:-8].norm())


def test_noise_does_not_protect_what_is_sent_beside_the_update(model, observed):
    scores = {}
    for statistics in (False, True):
        release, threat, images, labels = observed(
            4, statistics, configured("dpsgd", noise_multiplier=0.01)
        )
        known = dataclasses.replace(threat, labels=labels, evaluations=60)
        attack = invert.get("bayes")
        guess = attack.reconstruct(model, cross_entropy, release, known, generator=seeded())
        order = assign(guess.images, images)
        scores[statistics] = float(psnr(guess.images[order], images).mean())
    assert scores[True] > scores[False] + 0.5


def test_labels_of_one_step_are_counted_by_the_bias(model, observed):
    release, threat, _, labels = observed(6, False, configured("none"))
    found = recover_labels(model, cross_entropy, release, threat)
    assert found.tolist() == labels.sort().values.tolist()


def test_a_scenario_says_so_only_where_it_is_so(tmp_path):
    assert "batch_norm" not in Scenario().document()
    spec = f"{__name__}:net"
    quick = Scenario(
        data="digits",
        images=2,
        batch=2,
        model=spec,
        attack="prior",
        defense="dpsgd",
        defense_options={"noise_multiplier": 2.0},
        against=(),
        columns="adaptive",
        labels_known=True,
        batch_norm="released",
    )
    assert quick.document()["batch_norm"] == "released"
    record = attacks.run(quick, out=tmp_path)
    assert record.bounds["dpsgd"]["epsilon"] is None  # the noise is not on what is sent beside it
    assert "normalised by its own statistics, which are sent too" in table(record)
    assert "--batch-norm released" in record.environment["command"]
    (column,) = record.summary
    record.bounds["dpsgd"] |= guarantee(configured("dpsgd", noise_multiplier=2.0), 1e-5)
    assert "one client with all its images" in table(record)
    assert column == "dpsgd/adaptive"


def test_no_unbiased_bound_is_told_where_statistics_come_without_noise(model, observed):
    release, threat, images, labels = observed(1, True, configured("dpsgd"))
    given = model, cross_entropy, release, threat, images, labels
    assert fisher_psnr(*given, generator=seeded()) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"batch_norm": "mine"}, "unknown batch_norm 'mine'; known: running, batch, released"),
        (
            {"batch_norm": "batch", "local_steps": 1, "local_lr": 0.1, "local_batch": 1},
            "of one gradient, not of local steps",
        ),
        ({"batch_norm": "batch", "layers": "last"}, "all layers of an honest server's model"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        Scenario(**fields)


def test_a_model_without_batch_normalisation_is_refused():
    asked = Scenario(data="digits", images=2, batch=2, model="linear", batch_norm="batch")
    with pytest.raises(BadInput, match="'linear' has no batch normalisation: leave --batch-norm"):
        attacks.run(asked)
