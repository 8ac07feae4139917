"""Baselines: stored, held, outgrown, damaged."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pickle
from pathlib import Path

import pytest

from attacks.leakage.baselines import check, store
from defenses import BadInput


def test_a_baseline_is_stored_held_and_outgrown(gauge, inverted, told):
    with pytest.raises(AssertionError, match=r"there is no baseline .*\n.*--leakage-update"):
        gauge.check(inverted)
    storing = dataclasses.replace(gauge, update=True)
    assert storing.check(inverted) == []
    path = gauge.baselines / "test_mine.test_it.json"
    stored = json.loads(path.read_text())
    assert stored["options"] == {"step": 0.01} and stored["settings"]["images"] == 8
    assert stored["leaks"]["adaptive PSNR"] == inverted.psnr.show().removeprefix("adaptive PSNR ")

    gauge = dataclasses.replace(gauge)
    held = gauge.check(inverted)
    assert [g.leak for g in held if g.difference.n] == ["psnr", "ssim", "outranked"]
    assert all(
        not g.grew and (g.after - g.before or 0) == pytest.approx(0, abs=1e-4) for g in held[:-1]
    )
    with pytest.raises(BadInput, match="name the second"):
        gauge.check(inverted)
    with pytest.raises(AssertionError, match=r"no baseline .*test_it\.noisy\.json"):
        gauge.check(inverted, "noisy")

    stored["units"]["psnr"] = {k: v - 3 for k, v in stored["units"]["psnr"].items()}
    stored["options"], stored["claimed epsilon"] = {"step": 0.5}, 3.0
    path.write_text(json.dumps(stored))
    with pytest.raises(AssertionError) as found:
        dataclasses.replace(gauge).check(inverted)
    lines = str(found.value).splitlines()
    assert lines[0].startswith("Coarse(step=0.01) leaks more than the baseline ")
    assert lines[1].startswith("GREW  psnr: ") and "+3 over 8 pairs, p = 0.0078" in lines[1]
    assert "GREW  claimed epsilon: 3 -> inf" in lines
    assert "its options changed: step 0.5 -> 0.01" in lines
    figure = next(line for line in lines if line.startswith("figure: ")).removeprefix("figure: ")
    assert Path(figure).stat().st_size > 1000
    assert (Path(figure).parent / "result.json").exists()
    assert told[-1].startswith("against the baseline: psnr +3")


def broken(change):
    def made(stored):
        change(stored)
        return json.dumps(stored).encode()

    return made


HOSTILE = {
    "empty": lambda stored: b"",
    "truncated": lambda stored: json.dumps(stored).encode()[:-40],
    "a list": lambda stored: b"[1]",
    "not text": lambda stored: b"\xff\xfe\x00",
    "nested": lambda stored: b"[" * 100_000,
    "long number": lambda stored: b'{"leakgauge baseline": ' + b"9" * 10_000 + b"}",
    "a pickle": lambda stored: pickle.dumps(os.getcwd),
    "another format": broken(lambda s: s.update({"leakgauge baseline": 2})),
    "not a number": broken(lambda s: s["units"]["psnr"].update({"0/0": math.nan})),
    "no number": broken(lambda s: s["units"]["psnr"].update({"0/0": "__import__('os')"})),
    "no units": broken(lambda s: s.pop("units")),
    "units gone": broken(lambda s: s["units"].clear()),
    "other units": broken(lambda s: s["units"]["psnr"].pop("0/0")),
    "a leak gone": broken(lambda s: s["units"].update({"depth": s["units"]["psnr"]})),
    "other settings": broken(lambda s: s["settings"].update({"images": 7})),
    "settings gone": broken(lambda s: s["settings"].pop("data")),
    "another kind": broken(lambda s: s.update({"kind": "audit"})),
    "other types": broken(lambda s: s.update({"settings": 3})),
    "epsilon": broken(lambda s: s.update({"claimed epsilon": -1})),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_baseline_that_cannot_be_used_fails_clearly(inverted, tmp_path, name):
    path = tmp_path / "b.json"
    store.write(inverted, path)
    path.write_bytes(HOSTILE[name](json.loads(path.read_text())))
    with pytest.raises(AssertionError) as found:
        check.growths(check.read_baseline(path), inverted)
    assert "baseline" in str(found.value) and "--leakage-update" in str(found.value)
    assert len(str(found.value)) < 700
    if name == "other settings":
        assert "images 7 -> 8" in str(found.value)


def test_a_setting_that_is_new_counts_as_its_default(inverted, tmp_path):
    path = tmp_path / "b.json"
    store.write(inverted, path)
    stored = json.loads(path.read_text())
    del stored["settings"]["labels_known"]
    path.write_text(json.dumps(stored))
    assert not any(g.grew for g in check.growths(check.read_baseline(path), inverted))
