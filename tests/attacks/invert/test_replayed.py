"""A defense of one's own whose replay is wrong is not judged by an attacker who follows it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from torch import nn

import defenses
from attacks.invert.replayed import EDGE, LARGEST, is_foreign, look_at_replay
from defenses.conformance import CHECKS
from reports import build, records
from reports.evidence.control import MISREPLAYED
from reports.records import inversion

MINE = '''
from dataclasses import dataclass

import torch
from defenses.contract import Defense, dense

@dataclass(frozen=True)
class Shuffle(Defense):
    """Shuffles the coordinates by a key that everybody knows; its replay forgets it."""

    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        mean = {k: g.sum(0) / batch_size for k, g in grads.items()}
        key = {k: torch.randperm(v.numel(), generator=generator) for k, v in mean.items()}
        return dense(apply(mean, key), {"batch_size": batch_size, "noise_std": 0.0, "key": key})

    def replay(self, grads, release):
        return {k: g.sum(0) / release.public["batch_size"] for k, g in grads.items()}

@dataclass(frozen=True)
class Right(Shuffle):
    """The same, and its replay shuffles too."""

    def replay(self, grads, release):
        return apply(super().replay(grads, release), release.public["key"])

@dataclass(frozen=True)
class Mean(Right):
    """The same, and its replay divides by the examples that are there."""

    def replay(self, grads, release):
        return apply({k: g.mean(0) for k, g in grads.items()}, release.public["key"])

def apply(update, key):
    return {k: v.flatten()[key[k]].view_as(v) for k, v in update.items()}
'''
FORM = ["--data", "digits", "--images", "8", "--model", "linear", "--candidates", "1"]
FORM += ["--against", "none", "--attack", "analytic", "--out", "runs"]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "mineshuffled.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    return "mineshuffled"


def gate(tmp_path):
    out = ["--out", str(tmp_path / "out"), "--fail-on", "leaks", "refuted", "unjudged"]
    code = build.main([str(tmp_path / "runs"), *out])
    return code, json.loads((tmp_path / "out" / build.SUMMARY).read_text())["results"]


def test_nothing_found_under_a_wrong_replay_is_not_judged(mine, invoke, tmp_path):
    code, said, err = invoke("--defense", f"{mine}:Shuffle", *FORM)
    assert code == 0, err
    assert f"{mine}:Shuffle: cannot be judged: {MISREPLAYED}" in said
    assert "depends on the data" in said
    code, (told,) = gate(tmp_path)
    assert (code, told["word"]) == (build.CLOSED, "unjudged")
    assert MISREPLAYED in told["reason"] and "conformance" in told["remedy"]


def test_nothing_found_under_a_right_one_is(mine, invoke, tmp_path):
    code, said, err = invoke("--defense", f"{mine}:Right", *FORM)
    assert code == 0, err
    assert MISREPLAYED not in said
    code, (told,) = gate(tmp_path)
    assert (code, told["word"]) == (0, "unbroken")
    (held,) = [records.read(tmp_path / "runs")]
    assert held.bounds[f"{mine}:Right"]["replay"] == "" and "replay" not in held.bounds["none"]


def test_what_is_found_under_a_wrong_replay_leaks_all_the_same(mine, invoke, tmp_path):
    invoke("--defense", f"{mine}:Shuffle", *FORM)
    record = records.read(tmp_path / "runs")
    for row in record.rows:
        row["psnr"] = 50.0 + row["image"] / 10
    records.write(record, tmp_path / "runs")
    code, (told,) = gate(tmp_path)
    assert (code, told["word"]) == (build.CLOSED, "leaks")


def test_a_record_from_before_the_look_opens(mine, invoke, tmp_path):
    invoke("--defense", f"{mine}:Shuffle", *FORM)
    record = records.read(tmp_path / "runs")
    older = {k: {n: v for n, v in b.items() if n != "replay"} for k, b in record.bounds.items()}
    found = inversion.parse(dataclasses.replace(record, bounds=older))
    assert {held.replay for held in found.guarantees.values()} == {""}


def test_a_large_model_is_looked_at_with_short_edges(mine):
    model = nn.Linear(LARGEST, 2)
    seen = []

    def kept(grads, **more):
        seen.append({k: tuple(g.shape[1:]) for k, g in grads.items()})
        return defenses.get("none").release(grads, **more)

    one = defenses.get(f"{mine}:Right")
    object.__setattr__(one, "release", kept)
    look_at_replay(one, model)
    assert seen[0] == {"weight": (2, EDGE), "bias": (2,)}


def test_a_chain_with_a_stage_from_elsewhere_is_from_elsewhere(mine):
    assert is_foreign(defenses.get(f"{mine}:Shuffle+topk"))
    assert not is_foreign(defenses.get("dpsgd+topk"))


def test_a_replay_that_takes_the_mean_explains_whole_batches_and_is_told_of_the_others(mine):
    one = defenses.get(f"{mine}:Mean")
    assert look_at_replay(one, nn.Linear(6, 4)) == ""
    (found,) = (check(one) for check in CHECKS if check.name == "replay")
    assert not found.holds and "batch of 1" in found.told
    assert "divide the sum by release.public['batch_size']" in found.told
    (other,) = (c(defenses.get(f"{mine}:Shuffle")) for c in CHECKS if c.name == "replay")
    assert not other.holds and "divisor" not in other.told
