"""Every command that a sweep can run keeps the contract, and has the flags of all of them."""

from __future__ import annotations

import inspect
import re
import shlex

import pytest

from defenses import BadInput
from reports.commands.contract import Command
from reports.commands.flags import Parser, add_options, add_run_flags
from reports.sweep.combine import COMMANDS, command_module

NAMES = ["SWEPT", "parser", "parse", "scenario", "command_line", "run"]
TAKEN = {"device", "out", "data_root", "report"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_way_from_flags_to_a_record_and_back(name):
    module = command_module(name)
    assert set(NAMES) <= {n for n in dir(Command) if not n.startswith("_")} | {"SWEPT"}
    assert all(hasattr(module, wanted) for wanted in NAMES)
    of_heads = name == "victims.transfer" or name.endswith(".heads")
    chosen = ["--method", "dp-ls"] if of_heads else ["--defense", "dpsgd"]
    scenario = module.scenario(module.parse([*chosen, "--seed", "3"]))
    words = shlex.split(module.command_line(scenario))
    assert words[:3] == ["python", "-m", name]
    assert module.scenario(module.parse(words[3:])) == scenario
    parameters = inspect.signature(module.run).parameters
    open_end = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    assert open_end or parameters.keys() >= TAKEN


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_run_flags(name):
    parser = command_module(name).parser([])
    assert all(parser.action(f) for f in ("--device", "--out", "--fresh", "--data-root"))
    assert (parser.action("--jobs") is not None) == (
        name in ("attacks.membership", "attacks.audit")
    )
    folder = parser.action("--out")
    assert folder is not None
    assert f"runs/{name.partition('.')[2]}-HASH" in str(folder.help)


def test_other_commands_are_not_imported():
    with pytest.raises(BadInput, match="no command 'os' runs Scenarios"):
        command_module("os")


def test_an_option_whose_flag_is_taken_has_another():
    import defenses

    parser = Parser(prog="p")
    add_run_flags(parser, "p")
    parser.add_argument("--rate")
    add_options(parser, defenses.registry, "defense", "dprs")
    assert parser.action("--defense-rate") is not None
    assert parser.action("--nothing") is None
    flags = [action.option_strings[0] for action in parser.actions()]
    assert flags[1:5] == ["--data-root", "--device", "--out", "--fresh"]


@pytest.mark.parametrize("name", ["victims.train", "attacks.audit", "attacks.membership"])
def test_help_says_that_epsilon_sets_the_noise_where_it_does(name):
    def told(defense):
        flag = command_module(name).parser(["--defense", defense]).action("--noise-multiplier")
        return flag.help

    assert told("dprs").endswith("(default what --epsilon asks for)")
    assert told("gaussian").endswith("(default 0.01)")  # it guarantees nothing
    assert told("gaussian+topk").endswith("(default 0.01)")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_the_number_that_a_flag_has_by_default(name):
    seen = 0
    for action in command_module(name).parser([]).actions():
        told = re.search(r"\(default:? ([^);:,\s]+)", action.help or "")
        if told and type(action.default) in (int, float):
            assert float(told[1]) == action.default, action.option_strings[0]
            seen += 1
        elif told and told[1] == "all":
            assert action.default in (None, "all"), action.option_strings[0]
    assert seen > 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--raet", "0.9"], "unrecognized arguments: --raet 0.9; did you mean --rate?"),
        (["--raet=0.9"], "did you mean --rate?"),
        (["--rate", "1", "--data-rot", "x", "--outt", "x"], "did you mean --data-root, --out?"),
        (["--steps", "3"], "unrecognized arguments: --steps 3; --help with the same choices"),
        (["7"], "unrecognized arguments: 7; --help with the same choices lists all"),
        (["--rate", "much"], "invalid float value: 'much'"),
    ],
)
def test_a_flag_that_is_not_there_is_refused_beside_the_nearest(words, told, capsys):
    parser = Parser(prog="p", allow_abbrev=False)
    add_run_flags(parser, "p")
    parser.add_argument("--rate", type=float)
    with pytest.raises(SystemExit) as left:
        parser.parse_args(words)
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert told in said
    assert said.count("\n") == 1


def test_a_flag_that_is_not_there_is_told_before_what_is_missing(capsys):
    parser = Parser(prog="p", allow_abbrev=False)
    parser.add_argument("folders", nargs="+")
    with pytest.raises(SystemExit):
        parser.parse_args(["--hlp"])
    assert capsys.readouterr().err == "p: unrecognized arguments: --hlp; did you mean --help?\n"
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert capsys.readouterr().err == "p: the following arguments are required: folders\n"
