"""Options of defenses and attacks: fields of a dataclass, each with its type, range and help."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from defenses.errors import BadInput


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    open_low: bool = False,
    open_high: bool = False,
) -> Any:
    """A dataclass field that is also a command-line flag, with its allowed range and help.

    Args:
        default: the value when nothing is said; its type is the flag's type.
        help: one line; the range is appended by the command line.
        low: smallest allowed value, or None for no limit.
        high: largest allowed value, or None for no limit.
        open_low: exclude ``low`` itself.
        open_high: exclude ``high`` itself.
    """
    limits = {"low": low, "high": high, "open_low": open_low, "open_high": open_high}
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def allowed_range(field: dataclasses.Field[Any]) -> str:
    """The field's range as a reader writes it: ``[0, 1)``, ``> 0``, ``>= 0``, or empty."""
    m = field.metadata
    low, high = m.get("low"), m.get("high")
    if low is not None and high is not None:
        return f"{'(' if m['open_low'] else '['}{low:g}, {high:g}{')' if m['open_high'] else ']'}"
    if low is not None:
        return f"{'>' if m['open_low'] else '>='} {low:g}"
    if high is not None:
        return f"{'<' if m['open_high'] else '<='} {high:g}"
    return ""


def check_options(instance: Any) -> None:
    """Raise `BadInput` for the first field of a dataclass of another type or outside its range."""
    check_types(instance)
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        m = field.metadata
        low, high = m.get("low"), m.get("high")
        inside = math.isfinite(value)
        if low is not None:
            inside = inside and (value > low if m["open_low"] else value >= low)
        if high is not None:
            inside = inside and (value < high if m["open_high"] else value <= high)
        if not inside:
            limits = allowed_range(field) or "a finite number"
            into = "in " if limits[0] in "[(" else ""
            raise BadInput(f"{field.name} is {value:g}; it must be {into}{limits}")


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("a switch", lambda v: isinstance(v, bool)),
    "int": ("an integer", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "float": (
        "a number",
        lambda v: isinstance(v, int | float) and v == v and not isinstance(v, bool),
    ),
    "str": ("a text", lambda v: isinstance(v, str)),
    "None": ("nothing", lambda v: v is None),
    "tuple[str, ...]": (
        "texts",
        lambda v: isinstance(v, tuple | list) and all(type(t) is str for t in v),
    ),
    "dict": ("a mapping", lambda v: isinstance(v, Mapping)),
}
"""Annotation -> what it is called, and whether a value is one."""


def check_types(instance: Any) -> None:
    """Raise `BadInput` for the first field of a dataclass that is not what its annotation says.

    An integer will do for a number, and a switch for neither: ``clip=True`` is a mistake. NaN is
    no number. Fields of other kinds than `KINDS` are left alone.
    """
    for field in dataclasses.fields(instance):
        kinds = _kinds(field.type.__name__ if isinstance(field.type, type) else str(field.type))
        value = getattr(instance, field.name)
        if all(k in KINDS for k in kinds) and not any(KINDS[k][1](value) for k in kinds):
            told = " or ".join(KINDS[k][0] for k in kinds)
            raise BadInput(f"{field.name} must be {told}, not {value!r:.60}")


@functools.cache
def _kinds(annotation: str) -> tuple[str, ...]:
    """The kinds that an annotation names: ``int | None``."""
    parts = map(str.strip, annotation.split("|"))
    return tuple("dict" if part.startswith("dict[") else part for part in parts)


def shown_options(instance: Any) -> dict[str, Any]:
    """The options of a defense or attack that have flags, by name."""
    fields = [f for f in dataclasses.fields(instance) if not f.metadata.get("hidden")]
    return {f.name: getattr(instance, f.name) for f in fields}
