"""A membership Scenario: whose training is attacked, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attacks.membership.contract import registry
from defenses import BadInput
from defenses.options import check_types
from reports.records.keyed import Keyed, key_of
from victims.training import Training

LAYOUTS = ("auto", "plain", "channels-last", "together")
QUERIES = (1, 2)


@dataclass(frozen=True)
class Scenario(Keyed):
    """Everything that decides who is found out, and nothing that does not.

    Attributes:
        training: the training of the target, and with other members and seeds that of every
            shadow model; its ``count`` is how many examples each of them is trained on by
            expectation: every candidate is a member by a fair coin. It is their public number, too.
        shadows: shadow models, an even number: they come in pairs that split the candidates.
        population: further examples on which no model is trained, for attacks that want some.
        attacks: names of `attacks.membership.names`, each with options after commas:
            ``lira``, ``lira,mode=offline``.
        queries: 1, or 2 to ask every model about the mirrored image too.
        watched: steps of the target's training whose releases a white-box adversary sees; 0: none.
        layout: one model at a time with convolutions ``plain`` or ``channels-last`` in memory, or
            shadows ``together``, see `lockstep`; ``auto`` takes what is fastest over a few steps.
        seed: chooses candidates, members and the shadows' seeds.
    """

    training: Training = field(default_factory=lambda: Training(count=500))
    shadows: int = 16
    population: int = 500
    attacks: tuple[str, ...] = ("loss", "calibrated", "lira", "rmia")
    queries: int = 1
    watched: int = 20
    layout: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        if self.shadows < 2 or self.shadows % 2:
            raise BadInput(f"shadows is {self.shadows}; it must be an even number >= 2")
        for name, low in (("population", 2), ("watched", 0)):
            if getattr(self, name) < low:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be >= {low}")
        if (self.training.count or 0) < 10:
            raise BadInput(f"members is {self.training.count}; it must be >= 10")
        if self.queries not in QUERIES:
            raise BadInput(f"queries is {self.queries}; it must be 1 or 2")
        if self.layout not in LAYOUTS:
            raise BadInput(f"unknown layout {self.layout!r}; known: {', '.join(LAYOUTS)}")
        if self.training.weights != "untrained":
            raise BadInput("a membership target starts untrained: its shadows could not follow it")
        if self.training.secure:
            raise BadInput("--secure is for deployments: its models are trained again")
        if not self.attacks:
            raise BadInput("no attack is named")

    @property
    def members(self) -> int:
        """Examples that each model is trained on by expectation, of twice as many candidates."""
        return int(self.training.count or 0)

    def models_key(self) -> str:
        """Ten hex digits that name its models: attacks may be added without new ones."""
        return key_of({k: v for k, v in self.document().items() if k != "attacks"})


def attack_of(text: str) -> Any:
    """The attack that ``NAME,OPTION=VALUE,...`` says.

    Raises:
        BadInput: an unknown name or option, or a value of another type.
    """
    name, *options = text.split(",")
    given: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise BadInput(f"attack {text!r}: {option!r} is not OPTION=VALUE")
        given[key] = _value(value)
    return registry.get(name, **given)


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)
