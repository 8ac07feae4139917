"""A defense under test, known by its name."""

from __future__ import annotations

import defenses
from attacks.leakage.subject import Subject
from tests.attacks.leakage.coarse import Coarse


def test_a_defense_is_known_by_its_registered_name_else_by_its_class():
    assert Subject.of(defenses.get("topk", rate=0.5)).name == "topk"
    assert Subject.of(defenses.get("topk+quantize")).name == "topk+quantize"
    assert Subject.of(Coarse(step=0.5)).label == "Coarse(step=0.5)"

    class none(Coarse):  # the name of another one
        pass

    class Quieter(defenses.registry.find("dpsgd")):  # inherits "dpsgd"
        pass

    assert Subject.of(none()).name.endswith("<locals>.none")
    assert Subject.of(Quieter()).name == "Quieter"
    for subject in (Subject.of(none()), Subject.of(Quieter()), Subject.of("topk")):
        with subject.known():
            assert defenses.registry.find(subject.name) is type(subject.defense)
