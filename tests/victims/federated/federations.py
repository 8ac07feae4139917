"""Small federations for tests: digits, a linear model, fractions of a second."""

from __future__ import annotations

from typing import Any

from victims.federated.scenario import Federation
from victims.federated.victim import Victim, load_victim

SMALL: dict[str, Any] = {"participants": 4, "examples": 40, "model": "linear", "rounds": 3}


def federation(**changed: Any) -> Federation:
    known = {**SMALL, **changed}
    if known.get("rule", "dssgd") != "dssgd":
        known.setdefault("defense", "none")
    return Federation(**known)


def victim(**changed: Any) -> Victim:
    return load_victim(federation(**changed))
