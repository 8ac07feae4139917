from __future__ import annotations

import pytest

from attacks.invert import command
from attacks.invert import flags as flag_module
from reports.commands.parsers import choice, parsers_kept
from reports.sweep.combine import cross


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--defense", "dprs", "--seed", "1"], ("--defense=dprs",)),
        (["--attack=peel", "--defense=none"], ("--defense=none", "--attack=peel")),
        (["--defense", "none", "--defense", "dprs"], ("--defense=dprs",)),  # the last one counts
        (["--seed", "1"], ()),
    ],
)
def test_a_choice_is_what_settles_the_other_flags(argv, expected):
    assert choice(argv) == expected


def test_a_parser_is_kept_for_its_choice_and_no_longer_than_asked():
    with parsers_kept():
        first = command.parser(["--defense", "dprs", "--seed", "1"])
        assert command.parser(["--defense=dprs"]) is first
        other = command.parser(["--defense", "dpsgd"])
        assert other is not first
        assert first.action("--rate") and not other.action("--rate")
        left = command.parse(["--defense", "dprs", "--against", "none"])
        assert command.parse(["--defense", "dprs"]).against != left.against
    assert command.parser(["--defense=dprs"]) is not first


def test_a_sweep_builds_one_parser_for_each_defense(monkeypatch):
    made = []
    built = flag_module.Parser
    monkeypatch.setattr(flag_module, "Parser", lambda **given: made.append(1) or built(**given))
    flags = {"--defense": ["dprs", "none"], "--seed": [str(seed) for seed in range(5)]}
    assert len(cross("attacks.invert", flags)) == 10
    # One for the flags that are swept, and of each defense one for what a command line adds.
    assert len(made) <= 4
