"""The command, from flags to exit code."""

from __future__ import annotations

import pytest

from attacks.audit.__main__ import main
from defenses import BadInput

QUICK = [
    *("--data", "digits", "--count", "40", "--canaries", "300", "--batch-size", "190"),
    *(
        "--accountant",
        "rdp",
        "--epochs",
        "8",
        "--defense",
        "dpsgd",
        "--epsilon",
        "8",
        "--lr",
        "0.1",
    ),
]


def test_the_command_says_that_it_cannot_judge_and_leaves_with_0(tmp_path, capsys):
    asked = [*QUICK, "--claim", "90", "--out", str(tmp_path)]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "cannot be judged: even perfect scores would prove no more than epsilon" in told
    assert "consistent" not in told


def test_the_command_leaves_with_1_when_a_claim_is_refuted(tmp_path, capsys):
    assert main([*QUICK, "--out", str(tmp_path / "kept")]) == 0
    assert "consistent" in capsys.readouterr().out
    assert main([*QUICK, "--claim", "0.5", "--out", str(tmp_path / "broken")]) == 1
    assert "claim refuted" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "broken").iterdir()} == {
        *("result.json", "arrays.safetensors", "epsilon.png", "scores.png", ".leakgauge")
    }
    assert main([*QUICK, "--out", str(tmp_path / "kept")]) == 0
    assert "holds this result already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--canaries", "1"], "one canary in one run proves nothing"),
        (["--canaries", "4"], "too few for confidence"),
        (["--methods", "magic"], "unknown auditor 'magic'; known: gdp, one-run"),
        (["--confidence", "1.5"], "confidence is 1.5"),
        (["--claim", "-1"], "claim is -1"),
        (["--length", "0"], "length is 0"),
        (["--canaries", "20000"], "Dirac canaries need 20000 coordinates"),
        (["--delta", "0"], "delta is 0"),
        (["--batch-size", "4000"], "larger than the 190 examples"),
    ],
)
def test_bad_flags_take_one_line_and_leave_nothing(tmp_path, flags, said):
    with pytest.raises(BadInput, match=said) as error:
        main([*QUICK, *flags, "--out", str(tmp_path / "out")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
