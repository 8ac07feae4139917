"""Models trained in lockstep are the models that each of them would be alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.func import functional_call

import defenses
from attacks.membership.bench import contenders
from attacks.membership.command import run
from attacks.membership.scenario import Scenario
from attacks.membership.shadows import layouts
from attacks.membership.shadows.candidates import draw
from attacks.membership.shadows.layouts import GROUP, choose, describe_layout, groups
from attacks.membership.shadows.lockstep import Lockstep
from attacks.membership.shadows.obstacles import obstacle
from attacks.membership.shadows.train import train_one, train_together
from defenses import BadInput
from reports import records
from victims.training import Training
from victims.training.prepare import prepare
from victims.training.state import state
from victims.training.trainer import Trainer

SMALL = Training(data="digits", count=60, model="mlp", defense="none", batch_size=8, lr=0.2)
LENET = {"model": "lenet", "lr": 0.05}
SETTINGS = [
    {"defense": "none"},
    {"defense": "none", "momentum": 0.9, "weight_decay": 0.01},
    {"defense": "none", **LENET, "momentum": 0.9},
    {"defense": "none", **LENET, "views": 2},
    {"defense": "none", "sampling": "shuffle", "layers": "last"},
    {"defense": "gaussian", "batch_size": 1},
    {"defense": "dpsgd", "momentum": 0.9, "sampling": "shuffle"},
    {"defense": "dpsgd", "batch_size": 1},
    {"defense": "dpsgd", **LENET, "views": 2},
    {"defense": "dprs", "momentum": 0.9, "average": 0.9, "schedule": "cosine"},
    {"defense": "dprs", "optimizer": "adam", "lr": 0.01, "layers": "last"},
    {"defense": "dprs", **LENET, "momentum": 0.9},
    {"defense": "dprs", "model": "lenet5", "data": "photos", "lr": 0.05},
]
STEPS = 4
APART = {"data": "tests.parts:private", "public": "tests.parts:public"}


def trainers(dtype=torch.float32, count=3, **changed):
    """Of the same training, each with its own seed and examples."""
    found = []
    for seed in range(count):
        t = prepare(dataclasses.replace(SMALL, **changed, seed=seed)).trainer
        found.append(Trainer(t.plan, t.model.to(dtype), t.inputs.to(dtype), t.labels, t.public))
    return found


def both(dtype, **changed):
    """The same trainers after the same steps: alone, and together."""
    alone, together = trainers(dtype, **changed), trainers(dtype, **changed)
    assert obstacle(together) == ""
    group = Lockstep(together)
    for _ in range(STEPS):
        for trainer in alone:
            trainer.advance()
        group.advance()
    return alone, together


@pytest.mark.parametrize("changed", SETTINGS, ids=lambda c: "-".join(map(str, c.values())))
def test_every_model_is_what_it_would_be_alone(changed):
    """In float64 to 1e-9: weights, averages, what the optimiser remembers, bytes on the wire.

    Not to the bit, for sums are taken in another order: one product over all models for one
    product each, and padding moves the places at which a sum is cut.
    """
    for alone, together in zip(*both(torch.float64, **changed), strict=True):
        first, second = state(alone), state(together)
        assert first.keys() == second.keys()
        for key in first:
            assert torch.allclose(first[key], second[key], rtol=1e-9, atol=1e-9), key
        start, end = alone.start, dict(alone.parameters)
        assert max(float((end[k] - start[k]).detach().abs().max()) for k in end) > 1e-3


@pytest.mark.parametrize("changed", SETTINGS[1:12:2], ids=lambda c: "-".join(map(str, c.values())))
def test_logits_agree_to_a_thousandth_in_single_precision(changed):
    """1e-3 of logits of the size of 1: rounding, 1e-7 a step, which training makes grow.

    LeNet-5 is not here: trained alone in single precision it strays farther than that from
    itself in double precision.
    """
    for alone, together in zip(*both(torch.float32, **changed), strict=True):
        first, second = (
            functional_call(t.net, t.evaluated_weights(), (t.inputs,)) for t in (alone, together)
        )
        assert torch.allclose(first, second, atol=1e-3)
        assert float(first.std()) > 0.1


def test_batches_were_of_different_lengths_and_some_were_empty():
    sizes = torch.tensor([[len(t.batch()[1]) for t in ts] for ts in steps_of(batch_size=1)])
    assert ((sizes == 0).any(1) & (sizes > 1).any(1)).any()
    assert (sizes == 0).all(1).any()


def steps_of(**changed):
    found = trainers(**changed)
    for step in range(60):
        for trainer in found:
            trainer.step = step
        yield found


class Unit(nn.Module):
    """Rows divided by their length: NaN for a row of zeros, as padding is where there is no row."""

    def forward(self, images):
        flat = images.flatten(1)
        return flat / flat.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("defense", ["none", "dpsgd"])
def test_padding_contributes_nothing_even_where_it_gives_nan(defense):
    made = []
    for t in trainers(defense=defense, count=2):
        made.append(Trainer(t.plan, nn.Sequential(Unit(), nn.Linear(64, 10)), t.inputs, t.labels))
    batches = [(t.inputs[:n], t.labels[:n]) for t, n in zip(made, (5, 0), strict=True)]
    shield = made[0].plan.defense
    alone = [t.network.total(shield, {}, *b) for t, b in zip(made, batches, strict=True)]
    together = Lockstep(made).totals(shield, [{}, {}], batches)
    for key in alone[0]:
        assert torch.allclose(alone[0][key], together[0][key], atol=1e-6)
        assert not together[1][key].any()
    assert alone[0]["1.weight"].any()


def test_a_model_that_has_no_finite_gradient_stops_all_with_the_weights_before():
    made = trainers(defense="none", batch_size=60)
    made[1].inputs[:] = torch.inf
    group = Lockstep(made)
    before = [state(t) for t in made]
    with pytest.raises(BadInput, match="NaN or infinite"):
        group.advance()
    for trainer, saved in zip(made, before, strict=True):
        assert all(torch.equal(v, saved[k]) for k, v in state(trainer).items())


@pytest.mark.parametrize(
    "changed", [{"defense": "none"}, {"defense": "dpsgd"}, {"defense": "dprs"}]
)
def test_an_example_that_is_not_finite_is_left_out_together_as_alone(changed):
    alone, together = (trainers(torch.float64, batch_size=30, **changed) for _ in range(2))
    assert obstacle(together) == ""
    for made in (alone, together):
        made[0].inputs[3:6] = torch.nan
        made[2].inputs[:20] = torch.inf
    group = Lockstep(together)
    for _ in range(3):
        for trainer in alone:
            trainer.advance()
        group.advance()
    for one, other in zip(alone, together, strict=True):
        for key, value in one.network.weights().items():
            assert value.isfinite().all()
            assert torch.allclose(value, other.network.weights()[key], rtol=1e-9, atol=1e-12)


@pytest.fixture
def own(monkeypatch):
    """Registers defenses for one test."""
    monkeypatch.setattr(defenses.registry, "_classes", dict(defenses.registry._classes))

    def register(contribute):
        made = type("Own", (defenses.Summed,), {"contribute": contribute})
        defenses.register("own")(dataclasses.dataclass(frozen=True)(made))

    return register


@pytest.mark.parametrize(
    ("contribute", "reason"),
    [
        (lambda self, grads, plan: {k: g.sum(0) + len(g) for k, g in grads.items()}, "differ"),
        (
            lambda self, grads, plan: {k: g.sum(0) * float(g.sum() > 0) for k, g in grads.items()},
            "Error: ",
        ),
    ],
    ids=["counts", "branches"],
)
def test_a_defense_that_would_not_be_the_same_is_found_out(own, contribute, reason):
    own(contribute)
    assert reason in obstacle(trainers(defense="own"))


def test_a_defense_of_the_users_own_that_sums_is_taken(own):
    own(lambda self, grads, plan: {k: g.sign().sum(0) for k, g in grads.items()})
    assert obstacle(trainers(defense="own")) == ""


def test_what_cannot_be_stacked_is_named():
    gep = trainers(data=APART["data"], defense="gep", public=APART["public"], count=2)
    assert obstacle(gep).startswith("defense 'gep'")
    settings = trainers(count=2)
    for layer, reason in ((nn.Dropout(0.5), "dropout"), (nn.BatchNorm1d(64), "BatchNorm")):
        body = nn.Flatten(), layer, nn.Linear(64, 10)
        made = [Trainer(t.plan, nn.Sequential(*body), t.inputs, t.labels) for t in settings]
        assert reason in obstacle(made)
    assert obstacle(trainers(count=2)) == ""


SCENARIO = Scenario(
    dataclasses.replace(SMALL, defense="dprs", epochs=2, batch_size=20),
    shadows=6,
    population=20,
    watched=1,
    attacks=("loss", "calibrated"),
    layout="together",
)


def test_every_model_is_in_one_group_and_the_target_alone():
    for shadows in (2, 4, 10, 32):
        for device, size in GROUP.items():
            found = groups(dataclasses.replace(SCENARIO, shadows=shadows), "together", device)
            assert found[0] == [0]
            assert [m for g in found for m in g] == list(range(shadows + 1))
            assert all(2 <= len(g) <= size for g in found[1:])
    assert groups(SCENARIO, "channels-last", "cpu") == [[m] for m in range(7)]


def test_shadows_say_what_they_would_say_alone():
    candidates = draw(SCENARIO)
    together = train_together(SCENARIO, SCENARIO.training, candidates, [1, 2, 5], "cpu")
    for model, (facts, found) in zip((1, 2, 5), together, strict=True):
        known, alone = train_one(SCENARIO, SCENARIO.training, candidates, model, "cpu", "plain")
        assert found.keys() == alone.keys()
        assert all(torch.allclose(found[k], alone[k], atol=1e-3) for k in found)
        assert facts.keys() == known.keys()
        assert facts["inside"] == pytest.approx(known["inside"], abs=0.02)


def test_resuming_trains_whole_groups_and_does_not_change_the_record(tmp_path):
    whole = records.canonical(run(SCENARIO, out=tmp_path))
    pieces = sorted((tmp_path / "partial").glob("*-000[0-6].json"))
    assert len(pieces) == 7
    before = [p.stat().st_mtime_ns for p in pieces]
    pieces[2].unlink()
    record = run(SCENARIO, out=tmp_path)
    assert record.environment["how"]["layout"] == "together"
    assert records.canonical(record) == whole
    after = [p.stat().st_mtime_ns for p in pieces]
    assert [m for m in range(7) if before[m] != after[m]] == [1, 2, 3, 4]


@pytest.mark.parametrize("fastest", ["together", "plain", "channels-last"])
def test_auto_takes_what_was_fastest_and_the_command_names_it(fastest, monkeypatch):
    asked = iter(("together", "plain", "channels-last"))

    def timed(advance, device):
        advance()
        name = next(asked)
        return (0.5 if name == fastest else 1.0) * (2 if name == "together" else 1)

    monkeypatch.setattr(layouts, "_seconds", timed)
    training = dataclasses.replace(SCENARIO.training, **LENET, epochs=1)
    scenario = dataclasses.replace(SCENARIO, training=training, layout="auto", watched=0)
    record = run(dataclasses.replace(scenario, shadows=2, attacks=("loss",)))
    times = {"together": 1.0, "plain": 1.0, "channels-last": 1.0} | {fastest: 0.5}
    assert record.environment["how"]["seconds_per_step"] == times
    assert f"--layout {fastest}" in record.environment["command"]
    text = f"layout {fastest}; ms per model and step: together"
    assert describe_layout(record.environment["how"]).startswith(text)


def test_what_was_asked_together_and_cannot_be_is_trained_one_after_another_and_said():
    training = dataclasses.replace(SCENARIO.training, **APART, defense="gep", model="linear")
    scenario = dataclasses.replace(SCENARIO, training=training, shadows=2)
    how = choose(scenario, training, draw(scenario), "cpu")
    assert how["layout"] == "plain"
    why = "defense 'gep' is told its anchors at each step"
    assert describe_layout(how) == f"layout plain; models train one after another: {why}"
    automatic = choose(
        dataclasses.replace(scenario, layout="auto"), training, draw(scenario), "cpu"
    )
    assert automatic["layout"] == "plain"
    assert list(automatic["seconds_per_step"]) == ["plain"]


def test_the_bench_runs_what_it_can_and_says_what_it_cannot():
    setting = contenders.Setting("lenet", "dprs", "cpu", size=3, seed=0)
    for name, made in (
        ("plain", 4),
        ("channels-last", 4),
        ("together", 3),
        ("one after another", 4),
    ):
        assert contenders.prepare(setting, name, 1) == ""
        assert contenders.run(setting, name, 4) == made
    linear = dataclasses.replace(setting, model="linear")
    assert contenders.prepare(linear, "channels-last", 1) == "as plain: no convolution"
    deep = dataclasses.replace(setting, model="resnet20-4")
    assert "GroupNorm" in contenders.prepare(deep, "plain", 1)
    deep = dataclasses.replace(deep, defense="none")
    assert contenders.prepare(deep, "together", 1).startswith("cannot: '1.1' is BatchNorm")
