"""A fit that was killed goes on where it was, to the same bits, and spends nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from defenses import BadInput
from reports import records
from victims.transfer import __main__ as command
from victims.transfer import descent, prepare, study
from victims.transfer.__main__ import main
from victims.transfer.checkpoint import Asked, Checkpoint, holds_releases
from victims.transfer.compare import main as compare
from victims.transfer.head import read_head

FLAGS = ["--backbone", "raw", "--count", "300", "--save-seconds", "0"]
METHOD = ["--method", "dp-sgd", "--batch-size", "100", "--steps", "8"]


class Killed(BaseException):
    """What no fit catches."""


def few(split):
    return rows(300 if split == "train" else 50)


def many(split):
    return rows(600 if split == "train" else 50)


def rows(count):
    draw = torch.Generator().manual_seed(count)
    return torch.rand(count, 1, 8, 8, generator=draw), torch.arange(count) % 10


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))


@pytest.fixture
def gradients(monkeypatch):
    """Counts the gradients that are computed; dies at the one whose number it is told."""
    real, state = descent.clipped_gradient, {"done": 0, "dies": 0}

    # Estimates of the time take gradients, too.
    monkeypatch.setattr(command, "seconds_of", lambda method, problem, fits: 0.0)

    def counted(problem, head, rows=None, clip=1.0):
        state["done"] += 1
        if state["done"] == state["dies"]:
            raise Killed
        return real(problem, head, rows, clip)

    monkeypatch.setattr(descent, "clipped_gradient", counted)
    return state


def head_in(folder):
    return read_head(Path(folder) / "head.safetensors")[0]


def record_in(folder):
    found = records.read(Path(folder))
    assert found is not None
    return found


@pytest.mark.parametrize("more", [[], ["--secure"]])
def test_a_killed_fit_goes_on_with_the_releases_that_it_has_made(more, gradients, capsys):
    words = [*FLAGS, *METHOD, *more, "--out", "killed"]
    gradients["dies"] = 6
    with pytest.raises(Killed):
        main(words)
    assert not Path("killed/head.safetensors").exists()
    before = {p.name: p.read_bytes() for p in Path("killed/releases").iterdir()}
    assert len(before) == 5
    gradients |= {"done": 0, "dies": 0}
    kept = {}
    real = Checkpoint.clear

    def looking(self):
        kept.update({p.name: p.read_bytes() for p in (self.folder / "releases").iterdir()})
        real(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "clear", looking)
        assert main(words) == 0
    assert "5 of 8 releases were made before" in capsys.readouterr().out
    # Three that were lacking, and those of the control, which a secure fit has not.
    assert gradients["done"] == 3 + (0 if more else 8)
    assert len(kept) == 8
    assert before.items() <= kept.items()
    assert not Path("killed/releases").exists()
    if not more:
        assert main([*FLAGS, *METHOD, "--out", "whole"]) == 0
        assert torch.equal(head_in("killed"), head_in("whole"))
        one, other = record_in("killed"), record_in("whole")
        assert records.canonical(one) == records.canonical(other)


def test_what_a_secure_fit_has_spent_is_not_spent_again(gradients):
    words = [*FLAGS, *METHOD, "--secure", "--out", "out"]
    gradients["dies"] = 3
    with pytest.raises(Killed):
        main(words)
    gradients |= {"done": 0, "dies": 0}
    with pytest.raises(BadInput, match="spends its epsilon again"):
        main([*words, "--fresh"])
    assert holds_releases(Path("out"))
    with pytest.raises(BadInput, match="of other flags, data, code or version"):
        main([*words, "--epsilon", "2"])


def test_a_fresh_fit_takes_nothing_up(gradients):
    words = [*FLAGS, *METHOD, "--out", "out"]
    gradients["dies"] = 3
    with pytest.raises(Killed):
        main(words)
    gradients |= {"done": 0, "dies": 0}
    assert main([*words, "--fresh"]) == 0
    assert gradients["done"] == 2 * 8


def test_a_fit_of_other_data_is_not_gone_on_with(gradients, monkeypatch):
    words = [*FLAGS, *METHOD, "--out", "out"]
    gradients["dies"] = 3
    with pytest.raises(Killed):
        main(words)
    gradients |= {"done": 0, "dies": 0}
    real = prepare.load

    def another(transfer, data_root=None):
        train, test = real(transfer, data_root)
        train.images[0, 0, 0, 0] = 1 - train.images[0, 0, 0, 0]
        return train, test

    monkeypatch.setattr(prepare, "load", another)
    with pytest.raises(BadInput, match="of other flags, data, code or version") as raised:
        main(words)
    assert "\n" not in str(raised.value)


def test_a_comparison_goes_on_within_a_fit(gradients, monkeypatch):
    monkeypatch.setattr(study, "SAVE_SECONDS", 0)
    monkeypatch.setattr(study.checkpoint_in, "__defaults__", (0.0,))
    words = ["--backbone", "raw", "--method", "dp-gd,steps=4", "--epsilon", "1", "--seeds", "1"]
    real = descent.clipped_gradient
    calls = {"n": 0, "dies": 4 + 3}  # the control comes first here

    def counted(problem, head, rows=None, clip=1.0):
        calls["n"] += 1
        if calls["n"] == calls["dies"]:
            raise Killed
        return real(problem, head, rows, clip)

    monkeypatch.setattr(descent, "clipped_gradient", counted)
    monkeypatch.setattr("victims.transfer.compare.expect", lambda report, cost: None)
    with pytest.raises(Killed):
        compare([*words, "--out", "heads"])
    calls |= {"n": 0, "dies": 0}
    assert compare([*words, "--out", "heads"]) == 0
    assert calls["n"] == 4 + 2
    assert not list(Path("heads").glob("*/releases"))


def test_releases_are_written_when_it_is_time(tmp_path):
    moments = iter([0.0, 30.0, 61.0, 61.0, 62.0])
    kept = Checkpoint(tmp_path, {"of": 1}, 60.0, lambda: next(moments))
    for step in range(3):
        kept.keep(torch.full((2,), float(step)), Asked(("gradient", step), 0.1))
    again = Checkpoint(tmp_path, {"of": 1})
    assert [asked.name for asked, _ in again.known] == [("gradient", 0), ("gradient", 1)]
    assert torch.equal(again.recall(1, Asked(("gradient", 1), 0.1)), torch.ones(2))
    assert again.recall(2, Asked(("gradient", 2), 0.1)) is None


@pytest.mark.parametrize(
    "asked",
    [
        Asked(("gradient", 7), 0.1),
        Asked(("gradient", 0), 1.0),
        Asked(("gradient", 0), 0.1 + 2**-54),
        Asked(("gradient", 0), 0.1, symmetric=True),
    ],
    ids=str,
)
def test_a_release_answers_no_other_question(asked, tmp_path):
    """Its noise is of the sensitivity that was said when it was made."""
    Checkpoint(tmp_path, {"of": 1}, 0.0).keep(torch.ones(2), Asked(("gradient", 0), 0.1))
    with pytest.raises(BadInput, match="the method now asks for"):
        Checkpoint(tmp_path, {"of": 1}).recall(0, asked)


def test_a_secure_fit_of_more_examples_is_not_gone_on_with(gradients):
    """The account of all releases would be of a rate at which only the last were made."""
    words = ["--backbone", "raw", "--save-seconds", "0", *METHOD, "--secure", "--out", "out"]
    words += ["--noise-multiplier", "2"]
    gradients["dies"] = 3
    with pytest.raises(Killed):
        main([*words, "--data", f"{__name__}:few"])
    gradients |= {"done": 0, "dies": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "few", many)
        with pytest.raises(BadInput, match="of other flags, data, code or version"):
            main([*words, "--data", f"{__name__}:few"])


def test_a_secure_head_without_a_record_is_not_fitted_again(gradients, monkeypatch):
    words = [*FLAGS[:-1], "60", *METHOD, "--secure", "--out", "out"]

    def full(*given):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "write", full)
        with pytest.raises(OSError, match="No space"):
            main(words)
    head = head_in("out")
    gradients |= {"done": 0, "dies": 0}
    assert main(words) == 0
    assert gradients["done"] == 0  # all eight releases were there
    assert torch.equal(head_in("out"), head)
    assert not holds_releases(Path("out"))
    Path("out/result.json").unlink()
    for more in ([], ["--fresh"]):
        with pytest.raises(BadInput, match="spends its epsilon again"):
            main([*words, *more])


@pytest.mark.slow
def test_a_fit_that_is_killed_with_9_comes_to_the_same_head():
    flags = ["--backbone", "raw", "--method", "dp-gd", "--steps", "600", "--save-seconds", "0"]
    words = [sys.executable, "-m", "victims.transfer", *flags, "--out"]
    with subprocess.Popen([*words, "killed"]) as running:
        while running.poll() is None and len(list(Path("killed").glob("releases/from-*"))) < 20:
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
    assert holds_releases(Path("killed"))
    for out in ("killed", "whole"):
        assert subprocess.run([*words, out], check=True).returncode == 0
    assert torch.equal(head_in("killed"), head_in("whole"))
