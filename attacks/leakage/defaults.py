"""What a leakage test runs unless it says otherwise: small, deterministic, seconds on one core."""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attacks.audit.scenario import Scenario as AuditScenario
from attacks.invert.scenario import Scenario
from attacks.leakage.subject import Subject
from attacks.membership.scenario import Scenario as MembershipScenario
from defenses import BadInput, preprocessing
from reports.commands.threads import one_thread
from victims.training import Training

INVERSION: dict[str, Any] = {
    "data": "digits",
    "images": 8,
}
DIGITS: dict[str, Any] = {
    "model": "mlp",
    "attack": "auto",
    "attack_options": {"iterations": 40, "practice": 0},
}
"""Rebuilds undefended digits exactly."""
LARGER: dict[str, Any] = {
    "model": "lenet",
    "attack": "bayes",
    "attack_options": {"iterations": 100},
}
"""For other images: undefended photographs come out at 21 dB, and at 32 dB in four times the time
with ``attack="auto"`` at its own options."""
VICTIM: dict[str, Any] = {"data": "digits", "model": "mlp", "count": 200, "lr": 0.5}
MEMBERSHIP: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 32,
    "shadows": 4,
    "population": 200,
    "attacks": ("loss", "rmia"),
    "watched": 0,
    "layout": "plain",  # the one that is measured to be fastest may change, and the last bits too
}
AUDIT: dict[str, Any] = {"epochs": 10, "lr": 0.1, "canaries": 400}


def scenario(subject: Subject, given: Mapping[str, Any]) -> Scenario:
    """An inversion of the subject; ``given`` are fields of `Scenario`."""
    values = {**INVERSION, **given}
    quick = DIGITS if values["data"] == "digits" else LARGER
    if "attack" in given:  # at its own options
        quick = {"model": quick["model"]}
    values = {**quick, **values}
    _check(Scenario, values, _fields(Scenario) - {"state_sha256"})
    if "state" in given:  # other weights under the same name are another Scenario
        with open(given["state"], "rb") as file:
            values["state_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    # Without a defense the attack must succeed, or what it does not find is no evidence. A model
    # that was trained as the defense changed it has no such control.
    fits = "state" not in given or not preprocessing.stages(subject.defense)
    control = ("none",) if fits else ()
    others = tuple(n for n in values.get("against", ()) if n != "none" or not control)
    values["against"] = control + others
    return Scenario(defense=subject.name, defense_options=subject.options, **values)


def membership(subject: Subject, given: Mapping[str, Any]) -> MembershipScenario:
    """A membership test of the subject; ``given`` are fields of `Training` and its own."""
    values = {**VICTIM, **MEMBERSHIP, **given}
    values["attacks"] = tuple(values["attacks"])
    made: MembershipScenario = _with_training(MembershipScenario, subject, values)
    return made


def audit(subject: Subject, given: Mapping[str, Any]) -> AuditScenario:
    """An audit of the subject; ``given`` are fields of `Training` and its own."""
    values = {**VICTIM, **AUDIT, **given}
    # Everyone in every batch: each step tells most, and the accountant is quick.
    values.setdefault("batch_size", int(values["count"] or 0) + int(values["canaries"]) // 2)
    if "methods" in values:
        values["methods"] = tuple(values["methods"])
    made: AuditScenario = _with_training(AuditScenario, subject, values)
    return made


@contextmanager
def quiet() -> Iterator[None]:
    """One thread, so that sums come out alike on every machine, and no warnings of libraries."""
    with one_thread(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        for text in ("TF32 acc", "Secure RNG", "Full backward hook", "Optimal order is"):
            warnings.filterwarnings("ignore", message=text)
        yield


def _with_training(kind: type[Any], subject: Subject, values: Mapping[str, Any]) -> Any:
    """A Scenario of a family that trains; the seed is its own, and its models' follow from it."""
    theirs = _fields(Training) - {"seed"}
    _check(kind, values, (theirs | _fields(kind)) - {"training"})
    training = Training(
        **{k: v for k, v in values.items() if k in theirs},
        defense=subject.name,
        defense_options=subject.options,
    )
    return kind(training=training, **{k: v for k, v in values.items() if k not in theirs})


def _fields(kind: type[Any]) -> set[str]:
    return {f.name for f in dataclasses.fields(kind)} - {"defense", "defense_options"}


def _check(kind: type[Any], values: Mapping[str, Any], known: set[str]) -> None:
    for name in values:
        if name not in known:
            family, has = kind.__module__.removesuffix(".scenario"), ", ".join(sorted(known))
            raise BadInput(f"a test with {family} has no {name!r}; it has: {has}")
