"""The defense under test: an instance, which studies know by a name and options only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import defenses
from defenses import BadInput, Defense
from defenses.options import shown_options


@dataclass(frozen=True)
class Subject:
    """A defense by what a Scenario says of it.

    Attributes:
        defense: the instance.
        name: the registered one, else the class's own; under it the class is found while `known`.
        options: its fields, hidden ones apart.
    """

    defense: Defense
    name: str
    options: dict[str, Any]

    @classmethod
    def of(cls, defense: Defense | str, options: Mapping[str, Any] | None = None) -> Subject:
        """The subject of an instance, or of a name with options.

        Raises:
            BadInput: no such defense, an object that is none, or one that its options do not
                make anew, as a study does.
        """
        if isinstance(defense, str):
            made = defenses.get(defense, **(options or {}))
            return cls(made, defense, shown_options(made))
        if options:
            raise BadInput("defense_options go with a defense's name; an instance has its own")
        if isinstance(defense, type):
            raise BadInput(f"{defense.__name__} is a class; give an instance: {defense.__name__}()")
        if not isinstance(defense, Defense):
            raise BadInput(f"{defense!r:.80} is no defense: a name or a defenses.Defense")
        found = cls(defense, _name(type(defense)), shown_options(defense))
        found._check()
        return found

    @property
    def label(self) -> str:
        """``MyDefense(rate=0.9)``."""
        told = ", ".join(f"{k}={v!r:.40}" for k, v in self.options.items())
        return f"{self.name}({told})"

    @contextmanager
    def known(self) -> Iterator[None]:
        """While this lasts, `defenses.get` finds the class by the name, registered or not."""
        if ":" in self.name or "+" in self.name:  # found by what the name says
            yield
            return
        with defenses.registry.standing_in(self.name, type(self.defense)):
            yield

    def _check(self) -> None:
        try:
            stored = json.loads(json.dumps(self.options))
        except (TypeError, ValueError) as error:
            raise BadInput(
                f"the options of {self.name} must be numbers, switches, texts or lists: {error}"
            ) from error
        try:
            again = type(self.defense)(**stored)
        except TypeError as error:
            raise BadInput(f"{self.name} cannot be made of its options: {error}") from error
        for field in dataclasses.fields(again):
            if field.metadata.get("hidden") and not _same(again, self.defense, field.name):
                raise BadInput(
                    f"the hidden field {field.name!r} of {self.name} is set; a study makes the "
                    "defense anew from its options, without it"
                )


def _name(cls: type[Defense]) -> str:
    if cls.name:
        with suppress(BadInput):  # a subclass of a registered one has its base's name
            if defenses.registry.find(cls.name) is cls:
                return cls.name
    # A name that is taken would stand for the other defense.
    taken = cls.__name__ in defenses.names()
    return f"{cls.__module__}.{cls.__qualname__}" if taken else cls.__name__


def _same(one: Defense, other: Defense, field: str) -> bool:
    mine, theirs = getattr(one, field), getattr(other, field)
    try:
        return mine is theirs or bool(mine == theirs)
    except (RuntimeError, ValueError, TypeError):  # tensors have no one truth
        return False
