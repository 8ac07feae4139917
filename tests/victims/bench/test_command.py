"""The benchmark of private steps prints all contenders, and ours is no slower than it says."""

from __future__ import annotations

import pytest

from victims.bench import command, peak_memory


def test_the_benchmark_prints_every_contender(capsys, monkeypatch):
    apart = peak_memory.measure_apart

    def mostly_here(name, *setting):  # a process of its own takes seconds
        return (apart if name == command.PLAIN else peak_memory.measure)(name, *setting)

    monkeypatch.setattr(peak_memory, "measure_apart", mostly_here)
    arguments = ["--models", "dpcnn", "--batch", "4", "--repeats", "1", "--device", "cpu"]
    arguments += ["--glibc"]
    assert command.main(arguments) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line[0] == "| dpcnn"]
    assert [row[1] for row in rows] == list(command.NAMES)
    assert not any("cannot" in row[2] for row in rows)
    assert all(float(row[4].rstrip(" |")) >= 0 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "bound"), [("dpcnn", 2.5), ("wrn-16-4", 4.0)])
def test_ours_costs_a_small_multiple_of_plain_sgd(model, bound, capsys):
    command.main(["--models", model, "--batch", "64", "--repeats", "3", "--device", "cpu"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    ratios = [float(row[2].split()[0]) for row in rows if len(row) > 1 and "ours" in row[1]]
    assert len(ratios) == 2
    assert max(ratios) < bound  # loose: a busy machine doubles what a quiet one shows
