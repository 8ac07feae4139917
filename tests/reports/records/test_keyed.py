from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attacks import audit, membership
from attacks.invert.scenario import Scenario
from reports.records.keyed import Keyed, key_of
from victims.training import Training


@dataclass(frozen=True)
class Inner(Keyed):
    rate: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Outer(Keyed):
    inner: Inner = field(default_factory=Inner)
    names: tuple[str, ...] = ("a", "b")
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 1


def test_the_document_is_json_and_holds_what_is_nested_beside_the_rest():
    assert Outer(options={"a": (1, 2)}).document() == {
        "rate": 0.5,
        "names": ["a", "b"],
        "options": {"a": [1, 2]},
        "seed": 1,
    }


def test_the_key_is_of_all_fields_in_any_order():
    assert Outer().key() == key_of(dict(reversed(Outer().document().items())))
    assert len({Outer().key(), Outer(seed=2).key(), Outer(Inner(rate=0.4)).key()}) == 3
    assert Outer(Inner(seed=5)).key() == Outer().key()  # the outer one's counts


def test_folders_of_earlier_versions_are_named_by_the_same_keys():
    training = Training(count=50, defense_options={"clip": 2.0}, epsilon=3.0, seed=4)
    assert Scenario(evaluations=4, budget=3).key() == "c513bec4c5"
    assert training.key() == "8811e9c139"
    assert Training(secure=True).key() == "18f8db9a7f"
    assert membership.Scenario(training, seed=2).key() == "31704e6fe3"
    assert membership.Scenario(training, seed=2).models_key() == "5057f28125"
    assert audit.Scenario(training, canaries=5, seed=9).key() == "0d2882adb5"
