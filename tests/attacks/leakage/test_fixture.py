"""What a test may ask of the fixture."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

import defenses
from attacks.leakage.baselines.file_name import plain
from defenses import BadInput
from tests.attacks.leakage.coarse import TINY, Coarse


def test_the_same_test_gives_the_same_numbers_and_leaves_no_name(gauge, inverted):
    before = defenses.names(), torch.get_num_threads()
    again = gauge.invert(Coarse(), **TINY)
    assert again.units() == inverted.units()
    assert (defenses.names(), torch.get_num_threads()) == before
    with pytest.raises(BadInput, match="unknown defense"):
        defenses.get("Coarse")


def test_the_undefended_update_is_attacked_whatever_a_test_compares_with(gauge):
    for against in ((), ("dpsgd",), ("none",)):
        found = gauge.invert(Coarse(), against=against, **{**TINY, "images": 1})
        assert "none/adaptive" in found.records[0].summary


@dataclass(frozen=True)
class Odd(Coarse):
    """Options that no study could make it of."""

    levels: object = None


BAD = [
    (lambda g: g.invert(Coarse), "Coarse is a class; give an instance"),
    (lambda g: g.invert(3), "3 is no defense"),
    (lambda g: g.invert("nothing"), "unknown defense 'nothing'"),
    (lambda g: g.invert(Coarse(), defense_options={"step": 1.0}), "an instance has its own"),
    (lambda g: g.invert(Coarse(hidden=3)), "the hidden field 'hidden' of Coarse is set"),
    (lambda g: g.invert(Odd(levels={1, 2})), "options of Odd must be numbers"),
    (lambda g: g.invert(Coarse(), imags=3), "attacks.invert has no 'imags'; it has: against"),
    (lambda g: g.invert(Coarse(), seeds=0), "seeds is 0"),
    (lambda g: g.membership(Coarse(), shadow=3), "attacks.membership has no 'shadow'"),
    (lambda g: g.audit(Coarse(), training=3), "attacks.audit has no 'training'"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[m for _, m in BAD])
def test_what_cannot_be_run_is_said_in_one_line(gauge, call, message):
    with pytest.raises(BadInput) as found:
        call(gauge)
    assert message in str(found.value) and "\n" not in str(found.value)


def test_names_of_tests_make_names_of_files():
    assert plain("test_a.test_b[0.5-x]") == "test_a.test_b[0.5-x]"
    assert plain("test_a.test_b[../c]") != plain("test_a.test_b[..|c]")
    assert "/" not in plain("test_a.test_b[../c]") and len(plain("é" * 400)) < 140
