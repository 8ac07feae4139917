"""The table of heads: a row a method, a column an epsilon, seeds pooled."""

from __future__ import annotations

import pytest

from defenses import BadInput
from victims.transfer.__main__ import main as fit
from victims.transfer.table import main


def test_heads_are_pooled_over_seeds_by_method_and_epsilon(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))
    words = ["--backbone", "raw", "--method", "dp-ls", "--count", "300"]
    for number, epsilon in enumerate(("8", "8", "inf")):
        fit([*words, "--epsilon", epsilon, "--seed", str(number % 2), "--out", f"runs/{number}"])
    capsys.readouterr()
    assert main(["runs"]) == 0
    head, line, row = capsys.readouterr().out.splitlines()
    assert head.startswith("| data, backbone | method | epsilon 8 | no noise | control | guess")
    assert line.count("---") == 7
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == ["digits, raw", "dp-ls"]
    noisy, plain = (float(cell.split()[0]) for cell in cells[2:4])
    assert 10 < noisy < plain
    assert cells[5:] == ["10.2", "2"]


def test_methods_that_sample_stand_in_the_column_of_the_epsilon_that_was_asked_for(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))
    words = ["--backbone", "raw", "--count", "300", "--epsilon", "1"]
    sampled = ["--method", "dp-sgd", "--batch-size", "32", "--steps", "10"]
    fit([*words, "--method", "dp-ls", "--out", "runs/full"])
    fit([*words, *sampled, "--out", "runs/sampled"])
    capsys.readouterr()
    assert main(["runs"]) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.count("epsilon") == 1
    assert len(rows) == 2
    assert not any(" - " in row for row in rows)


def test_folders_without_heads_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no Record of a head"):
        main([str(tmp_path)])
