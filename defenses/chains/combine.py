"""What a chain of defenses is made of: ``topk+quantize`` as a class, where that makes sense."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from functools import lru_cache
from typing import Any

from defenses.bases.before import Before
from defenses.bases.summed import Summed
from defenses.chains.chain import Chain, SummedChain
from defenses.contract import Defense, registry
from defenses.errors import BadInput


def combine(name: str) -> type[Defense]:
    """The class of a chain by its name, e.g. ``dprs+topk+quantize``.

    Raises:
        BadInput: an unknown stage, the same one twice, or one that cannot stand where it does.
    """
    words = name.split("+")
    return _combine(name, tuple(registry.find(word) for word in words))


@lru_cache(maxsize=64)
def _combine(name: str, classes: tuple[type[Defense], ...]) -> type[Defense]:
    labels = [word.rpartition(":")[2] for word in name.split("+")]
    for label in labels:
        if labels.count(label) > 1:
            raise BadInput(f"defense {name!r} has {label!r} twice")
    for label, cls in zip(labels[1:], classes[1:], strict=True):
        if reason := _unfit(cls):
            raise BadInput(f"defense {name!r}: {label!r} cannot follow another, for it {reason}")
    if labels[0] == "none":
        raise BadInput(f"defense {name!r}: 'none' does nothing there; leave it out")
    fields: list[Any] = []
    parts, taken = [], set[str]()
    for label, cls in zip(labels, classes, strict=True):
        names = []
        for one in dataclasses.fields(cls):  # type: ignore[arg-type]
            if one.metadata.get("hidden"):
                continue
            here = f"{label}_{one.name}" if one.name in taken else one.name
            fields.append((here, one.type, field(default=one.default, metadata=one.metadata)))
            names.append((one.name, here))
            taken.add(here)
        parts.append((label, cls, tuple(names)))
    first = classes[0]
    about = {
        "parts": tuple(parts),
        "wants": frozenset().union(*(cls.wants for cls in classes)),
        "name": name,
        "linear": issubclass(first, Summed) and first.linear,
        "apart": all(getattr(cls, "apart", True) for cls in classes),
        "__doc__": Chain.__doc__,
    }
    bases = (SummedChain if issubclass(first, Summed) else Chain,)
    return dataclasses.make_dataclass(name, fields, bases=bases, namespace=about, frozen=True)


def _unfit(cls: type[Defense]) -> str:
    """Why a defense cannot follow another, in words; empty when it can."""
    if issubclass(cls, Before):
        return ""
    if not (issubclass(cls, Summed) and cls.linear):
        return "looks at single examples: put it first"
    fields = {f.name for f in dataclasses.fields(cls)}
    if "noise_multiplier" in fields:
        return "adds noise to all coordinates: put it first"
    return "does nothing" if cls.name == "none" else ""
