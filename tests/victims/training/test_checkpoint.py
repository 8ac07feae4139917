"""Checkpoints: damaged ones, and what they name."""

from __future__ import annotations

import dataclasses

import pytest

from defenses import BadInput
from tests.victims.training.linear import prepared
from tests.victims.training.small import SMALL
from victims.training import checkpoint as store
from victims.training import prepare
from victims.training import run as runs
from victims.training.weights import write_weights


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "pickle"])
def test_damaged_checkpoints_are_refused_in_one_line(tmp_path, damage):
    list(runs.run(prepare.prepare(SMALL), tmp_path))
    path = tmp_path / store.LATEST
    whole = path.read_bytes()
    if damage == "foreign":
        write_weights(prepare.prepare(SMALL), path)
    else:
        bad = {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "pickle": b"\x80\x04cos\nsystem\n",
        }
        path.write_bytes(bad[damage])
    with pytest.raises(BadInput, match="checkpoint") as caught:
        list(runs.run(prepare.prepare(SMALL), tmp_path))
    assert "\n" not in str(caught.value)


def test_code_that_a_checkpoint_names_is_not_imported(tmp_path, monkeypatch):
    from attacks.invert.__main__ import main as invert
    from attacks.invert.along import main as along

    (tmp_path / "evil.py").write_text(
        "from pathlib import Path\n"
        f"Path({str(tmp_path / 'touched')!r}).touch()\n"
        "from victims.data import load_data\n"
        "def images(split):\n    return load_data('digits', split=split)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    list(runs.run(prepared(), run))
    found = store.read(run / store.LATEST)
    hostile = dataclasses.replace(found, training={**found.training, "data": "evil:images"})
    for path in [run / store.LATEST, *(run / "checkpoints").iterdir()]:
        store.save(dataclasses.replace(hostile, step=store.read(path).step), path)
    for call in (
        lambda: runs.at_step(run, 2),
        lambda: invert(["--checkpoint", str(run), "--out", str(tmp_path / "o")]),
        lambda: along([str(run), "--out", str(tmp_path / "o")]),
    ):
        with pytest.raises(BadInput, match=r"names 'evil:images' as its data.*--code evil:ima"):
            call()
    assert not (tmp_path / "touched").exists()
    with pytest.raises(BadInput):  # imported now, and found to be another run
        runs.at_step(run, 2, code=["evil:images"])
    assert (tmp_path / "touched").exists()
