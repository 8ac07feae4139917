"""Runs: any step again, and never in the folder of another."""

from __future__ import annotations

import dataclasses

import pytest

from defenses import BadInput
from tests.victims.training.linear import prepared
from tests.victims.training.small import SMALL, same, small, weights
from victims.data import load_data
from victims.training import checkpoint as store
from victims.training import prepare
from victims.training import run as runs


def test_any_step_can_be_reached_again(tmp_path):
    prepared = prepare.prepare(SMALL)
    seen = {}

    def watch(trainer):
        seen[trainer.step] = weights(trainer)

    list(runs.run(prepared, tmp_path, keep=3, watch=watch))
    for step in (0, 1, 7, 19):
        again = runs.at_step(tmp_path, step).trainer
        assert again.step == step
        assert same(seen[step], weights(again))
    with pytest.raises(BadInput, match="has steps 0 to 20"):
        runs.at_step(tmp_path, 21)


def test_another_runs_folder_is_not_overwritten(tmp_path):
    list(runs.run(prepare.prepare(SMALL), tmp_path))
    with pytest.raises(BadInput, match="holds another training run"):
        list(runs.run(prepare.prepare(small(seed=1)), tmp_path))


class TestResuming:
    def test_other_data_under_the_same_name_are_refused(self, tmp_path, monkeypatch):
        list(runs.run(prepared(), tmp_path, until=3))
        other = load_data("digits", split="train", count=120, seed=1)
        with pytest.raises(BadInput, match="have changed since it began"):
            list(runs.run(prepared(other), tmp_path))

    def test_a_checkpoint_of_noise_that_the_seed_told_is_refused(self, tmp_path):
        list(runs.run(prepared(), tmp_path, keep=0))
        old = dataclasses.replace(store.read(tmp_path / store.LATEST), key="")
        store.save(old, tmp_path / store.LATEST)
        with pytest.raises(BadInput, match="earlier version"):
            list(runs.run(prepared(), tmp_path))

    def test_the_furthest_checkpoint_is_where_a_run_goes_on(self, tmp_path):
        seen = []
        for row in runs.run(prepared(secure=True, epochs=3), tmp_path, keep=18):
            seen.append(row["step"])
            break  # killed once a row has been shown
        assert store.read(tmp_path / store.LATEST).step == seen[0] == 6
        made = prepared(secure=True, epochs=3)
        list(runs.run(made, tmp_path, keep=18, until=9))
        kept = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
        assert kept[-1] == "step-000008.safetensors"
        started = []
        made = prepared(secure=True, epochs=3)
        rows = list(runs.run(made, tmp_path, watch=lambda trainer: started.append(trainer.step)))
        assert started[0] == 8
        assert [row["step"] for row in rows] == [6, 12, 18]


def test_a_step_can_be_reached_where_it_was_kept_and_nowhere_else(tmp_path):
    list(runs.run(prepared(secure=True), tmp_path, keep=2))
    assert runs.at_step(tmp_path, 3).trainer.step == 3
    with pytest.raises(BadInput, match=r"trained with --secure.*step may be 0, 3, 6"):
        runs.at_step(tmp_path, 4)
