"""Membership Scenarios: candidates, shadow training, the command."""

from __future__ import annotations

import dataclasses
import re
import shlex

import pytest
import torch

from attacks.membership import __main__ as command
from attacks.membership import evaluate
from attacks.membership.command import command_line, parse, run
from attacks.membership.command import scenario as scenario_of
from attacks.membership.scenario import Scenario
from attacks.membership.shadows.candidates import draw, training_of
from attacks.membership.shadows.train import make_trainer, train_one, with_noise_set
from defenses import BadInput
from reports import records
from victims.training import Training
from victims.training.plan import make_plan

TINY = Training(data="digits", count=60, model="linear", defense="none", epochs=3, batch_size=20)
SCENARIO = Scenario(
    TINY, shadows=4, population=40, watched=2, attacks=("loss", "lira", "rmia"), layout="plain"
)
FLAGS = "--data digits --count 60 --model linear --epochs 3 --batch-size 20 --defense none "
FLAGS += "--shadows 4 --population 40 --watched 2 --attacks loss lira,mode=offline"


def test_every_model_has_its_members_and_every_candidate_is_in_half_of_the_shadows():
    found = draw(SCENARIO)
    assert found.members.shape == (5, 120)
    assert len(set(found.members.sum(1).tolist())) > 1  # by coins, whoever knows 60 knows no rest
    assert found.members[1:].sum(0).tolist() == [2] * 120
    both = torch.cat([found.pool.images, found.population.images]).flatten(1)
    assert len(both.unique(dim=0)) == len(both) == 160
    again = draw(dataclasses.replace(SCENARIO, seed=1))
    assert not torch.equal(again.members, found.members)


def test_a_model_sees_its_members_and_nobody_else(monkeypatch):
    from victims.training import trainer

    found = draw(SCENARIO)
    seen: list[torch.Tensor] = []
    inner = trainer.Trainer.release

    def watched(self, images, *rest, **named):
        seen.append(images)
        return inner(self, images, *rest, **named)

    monkeypatch.setattr(trainer.Trainer, "release", watched)
    train_one(SCENARIO, TINY, found, 1, "cpu", "plain")
    touched = {image.numpy().tobytes() for batch in seen for image in batch}
    members = {x.numpy().tobytes() for x in found.pool.images[found.members[1]]}
    assert touched <= members
    assert len(touched) > 20


def test_rate_steps_and_noise_follow_from_the_public_number_of_members():
    private = dataclasses.replace(TINY, defense="dpsgd", epsilon=3.0, accountant="rdp")
    scenario = dataclasses.replace(SCENARIO, training=private)
    found, shared = draw(scenario), with_noise_set(private, 60)
    plans = [make_trainer(scenario, shared, found, m, "cpu").plan for m in range(5)]
    assert [p.examples for p in plans] == found.members.sum(1).tolist()
    assert {(p.sample_rate, p.steps, p.defense.effective_noise()) for p in plans} == {
        (plans[0].sample_rate, 9, plans[0].defense.effective_noise())
    }
    assert plans[0].sample_rate == pytest.approx(20 / 60)


def test_a_shadow_is_trained_as_the_target_is():
    private = dataclasses.replace(TINY, defense="dprs", epsilon=3.0, accountant="rdp")
    private = dataclasses.replace(private, defense_options={"rate": 0.5})
    scenario = dataclasses.replace(SCENARIO, training=private)
    shared = with_noise_set(private, 60)
    target, shadow = (training_of(scenario, model, shared) for model in (0, 3))
    assert target.seed != shadow.seed
    assert dataclasses.replace(target, seed=0) == dataclasses.replace(shadow, seed=0)
    plan = make_plan(shadow, 60)
    assert plan.epsilon(plan.steps) == pytest.approx(3.0, abs=0.05)
    assert shadow.defense_options["rate"] == 0.5


def test_jobs_and_resuming_do_not_change_the_record(tmp_path):
    scenario = dataclasses.replace(SCENARIO, layout="together")
    whole = records.canonical(run(scenario))
    assert records.canonical(run(scenario, out=tmp_path, jobs=2)) == whole
    pieces = sorted((tmp_path / "partial").glob("*-000[0-4].json"))
    assert len(pieces) == 5
    kept = pieces[0].stat().st_mtime_ns
    pieces[3].unlink()
    assert records.canonical(run(scenario, out=tmp_path)) == whole
    assert pieces[0].stat().st_mtime_ns == kept
    assert pieces[3].exists()


def test_more_attacks_need_no_new_models(tmp_path):
    run(SCENARIO, out=tmp_path)
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "partial").iterdir()}
    more = dataclasses.replace(SCENARIO, attacks=("loss", "calibrated", "entropy"))
    record = run(more, out=tmp_path)
    assert set(record.summary["auc"]) >= {"loss", "calibrated", "entropy"}
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "partial").iterdir()} == stamps


def test_rows_say_who_is_exposed_and_whom_the_accusation_would_wrong():
    record = run(SCENARIO)
    strongest = record.summary["strongest"]
    own = [row["scores"][strongest] for row in record.rows]
    assert own == sorted(own, reverse=True)
    assert sum(row["member"] for row in record.rows) == int(record.arrays["members"].sum())
    for row in record.rows[::17]:
        others = [r["scores"][strongest] for r in record.rows if not r["member"]]
        assert row["false_alarms"] == sum(v >= row["scores"][strongest] for v in others)
    first = next(row for row in record.rows if row["member"])
    assert torch.equal(record.arrays["exposed"][0], draw(SCENARIO).pool.images[first["example"]])


@pytest.mark.parametrize(
    ("defense", "options"), [("none", {}), ("dprs", {"rate": 0.9, "noise_multiplier": 0.0})]
)
def test_who_sees_every_gradient_finds_members_of_small_batches(defense, options):
    areas = []
    for seed in range(8):  # of 24 candidates each: few steps blur what one of them tells the least
        training = dataclasses.replace(
            TINY, count=12, epochs=2, batch_size=1, lr=0.05, defense=defense, seed=seed
        )
        training = dataclasses.replace(training, defense_options=options)
        played = dataclasses.replace(SCENARIO, training=training, watched=24, seed=seed)
        candidates = draw(played)
        _, found = train_one(played, training, candidates, 0, "cpu", "plain")
        areas.append(evaluate(found["gradient-cosine"], candidates.members[0])["auc"]["mean"])
    assert sum(areas) / 8 > 0.6  # by chance 0.5, give or take 0.04


def test_layouts_agree_up_to_rounding():
    training = dataclasses.replace(TINY, data="photos", model="dpcnn", count=10, batch_size=5)
    scenario = dataclasses.replace(SCENARIO, training=training, population=4, shadows=2, watched=0)
    candidates = draw(scenario)
    plain, last = (
        train_one(scenario, training, candidates, 1, "cpu", layout)[1]["pool"]
        for layout in ("plain", "channels-last")
    )
    assert torch.allclose(plain, last, atol=1e-3)
    assert plain.std() > 0.01


def test_mirrored_queries_are_asked_too():
    one, two = (
        train_one(
            dataclasses.replace(SCENARIO, queries=q), TINY, draw(SCENARIO), 1, "cpu", "plain"
        )[1]
        for q in (1, 2)
    )
    assert two["pool"].shape == (120, 2, 10)
    assert torch.equal(one["pool"][:, 0], two["pool"][:, 0])
    assert not torch.equal(two["pool"][:, 0], two["pool"][:, 1])


def test_the_command_prints_draws_and_is_said_again(tmp_path, capsys):
    out = tmp_path / "out"
    argv = [*FLAGS.split(), "--out", str(out), "--jobs", "1"]
    assert command.main(argv) == 0
    shown = capsys.readouterr().out
    assert "layout " in shown  # how the models were trained
    assert "lira,mode=offline" in shown
    assert re.search(r"FPR 0.01 takes at least 100 non-members; there are \d\d\b", shown)
    assert "no privacy guarantee" in shown
    for name in ("roc.png", "scores.png", "exposed.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    record = records.read(out)
    words = shlex.split(record.environment["command"])
    assert words[:3] == ["python", "-m", "attacks.membership"]
    again = run(scenario_of(parse(words[3:])))
    assert records.canonical(again).split(b'"layout"')[1:] != []
    assert torch.equal(again.arrays["scores/loss"], record.arrays["scores/loss"])
    assert command.main(argv) == 0
    assert "holds this result already" in capsys.readouterr().out


def test_a_trial_survives_its_command_line():
    scenario = scenario_of(
        parse([*FLAGS.split(), "--seed", "7", "--queries", "2", "--layout", "plain"])
    )
    assert scenario_of(parse(shlex.split(command_line(scenario))[3:])) == scenario


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--shadows 3", "shadows is 3; it must be an even number"),
        ("--shadows 0", "shadows is 0; it must be an even number"),
        ("--count 5", "members is 5"),
        ("--attacks nonesuch", "unknown membership attack 'nonesuch'"),
        ("--attacks lira,mode=sideways", "mode is 'sideways'"),
        ("--attacks lira,online", "'online' is not OPTION=VALUE"),
        ("--defense nonesuch", "unknown defense 'nonesuch'"),
        ("--count 5000", "digits"),
        ("--population 1", "population is 1"),
        ("--batch-size 100", "the batch of 100 is larger than the 60 examples"),
        ("--weights some.safetensors", "starts untrained"),
        ("--jobs 0", "--jobs is 0"),
        ("--shadows 2 --attacks lira", "two or more shadow models"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message) as caught:
        command.main([*FLAGS.split(), *flags.split()])
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
