"""Which columns a study has, and that what is finished is taken from the folder."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

import victims
from attacks.families import run
from attacks.invert import study as studying
from attacks.invert.scenario import Scenario
from attacks.invert.study import columns_of, study
from attacks.invert.victim import Victim
from defenses import BadInput
from defenses.gradients import add_noise
from reports.records import canonical
from reports.records.column import Column
from tests.conftest import configured, seeded
from tests.victims.training.linear import alike

QUICK = Scenario(
    data="digits", images=2, model="linear", attack="analytic", defense="none", against=("topk",)
)


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ("both", ["none/adaptive", "dprs/adaptive", "dprs/naive"]),
        ("adaptive", ["none/adaptive", "dprs/adaptive"]),
        ("naive", ["none/adaptive", "dprs/naive"]),
    ],
)
def test_who_replays_no_defense_is_one_attacker(columns, keys):
    asked = Scenario(columns=columns)
    assert [column.key for column in columns_of(asked, ["none", "dprs"])] == keys
    assert columns_of(asked, []) == []


def test_finished_batches_are_not_attacked_again(tmp_path, monkeypatch):
    whole = study(QUICK, out=tmp_path)
    calls = []

    def counted(*given, **more):
        calls.append(given[1])
        return attack(*given, **more)

    attack = studying.attack_batch
    monkeypatch.setattr(studying, "attack_batch", counted)
    assert canonical(study(QUICK, out=tmp_path)) == canonical(whole)
    assert not calls
    next(tmp_path.glob("partial/*-topk-naive-1.json")).unlink()
    assert canonical(study(QUICK, out=tmp_path)) == canonical(whole)
    assert calls == [Column("topk", "naive")]


def test_progress_goes_from_nothing_to_all():
    told = []
    study(QUICK, report=lambda line, done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    assert list(done) == sorted(done)
    assert done[0] == 0 and done[-1] == totals[0] == 3 * (2 + 1)
    assert len(set(totals)) == 1


def test_a_victim_who_does_nothing_before_the_gradient_draws_nothing(lenet, photos):
    draw = seeded()
    before = draw.get_state()
    victim = Victim(lenet, cross_entropy, configured("dpsgd"))
    images, labels = photos.images[:2], photos.labels[:2]
    grads = victim.gradients(images, labels, generator=draw)
    plain = victims.per_example_gradients(lenet, cross_entropy, images, labels)
    assert all((grads[name] == plain[name]).all() for name in plain)
    assert (draw.get_state() == before).all()


def test_an_attack_that_does_not_apply_is_refused_before_anything_is_attacked():
    with pytest.raises(BadInput, match="analytic"):
        study(dataclasses.replace(QUICK, data="photos", model="lenet"))


def test_single_releases_of_different_images_share_no_noise():
    few = {
        "defense": "gaussian",
        "against": (),
        "images": 1,
        "split": "train",
        "columns": "adaptive",
    }
    few |= {"defense_options": {"noise_multiplier": 100.0}, "attack_options": {"iterations": 2}}
    few |= {"columns": "adaptive"}
    seen = []
    inner = add_noise

    def noted(update, std, generator):
        noisy = inner(update, std, generator)
        seen.append(torch.cat([(noisy[k] - update[k]).flatten() for k in update]))
        return noisy

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("defenses.bases.summed.add_noise", noted)
        firsts = []
        for changed in ({"data": "digits"}, {"data": "tests.parts:private"}, {"data": "digits"}):
            run(Scenario(model="linear", attack="dlg", **{**few, **changed}))
            firsts.append(seen[-1])  # those before look for a schedule, on no one's gradients
            seen.clear()
    assert abs(alike(firsts[0], firsts[1])) < 0.2
    assert torch.equal(firsts[0], firsts[2])


@pytest.mark.parametrize("candidates", [1, 5, 64])
def test_as_many_candidates_take_part_as_are_asked_for(candidates):
    record = study(dataclasses.replace(QUICK, candidates=candidates, against=()))
    played = candidates > 1
    assert all((row["rank"] is not None) == played for row in record.rows)
    assert record.bounds["none"]["candidates"] == (candidates if played else None)
    assert record.scenario.get("candidates", 64) == candidates


def test_a_scenario_of_all_candidates_is_the_one_it_was():
    assert "candidates" not in QUICK.document()
    assert Scenario(**{**QUICK.document(), "against": QUICK.against}) == QUICK


@pytest.mark.parametrize("candidates", [0, 65])
def test_more_candidates_than_a_split_gives_are_refused(candidates):
    with pytest.raises(BadInput, match=r"it must be in \[1, 64\], 1 for no candidate game"):
        Scenario(candidates=candidates)
