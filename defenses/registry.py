"""Names for defenses and attacks: a decorator, an entry point or ``pkg.module:Class``."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

T = TypeVar("T")
C = TypeVar("C", bound=type)


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one line that says what is allowed.

    Commands print the message and leave with exit code 2.
    """


class PassedOver(UserWarning):
    """Something that the user gave is left out; the message is one line that says what and why."""


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
            raise BadInput(f"{field.name} is {value:g}; it must be {limits.replace('[', 'in [')}")


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
        kind = field.type.__name__ if isinstance(field.type, type) else str(field.type)
        kinds = ["dict" if k.startswith("dict[") else k for k in map(str.strip, kind.split("|"))]
        value = getattr(instance, field.name)
        if all(k in KINDS for k in kinds) and not any(KINDS[k][1](value) for k in kinds):
            told = " or ".join(KINDS[k][0] for k in kinds)
            raise BadInput(f"{field.name} must be {told}, not {value!r:.60}")


def shown_options(instance: Any) -> dict[str, Any]:
    """The options of a defense or attack that have flags, by name."""
    fields = [f for f in dataclasses.fields(instance) if not f.metadata.get("hidden")]
    return {f.name: getattr(instance, f.name) for f in fields}


def import_object(spec: str, what: str) -> Any:
    """The object named ``pkg.module:attribute``.

    Raises:
        BadInput: when the module or the attribute is not there.
    """
    module, _, attribute = spec.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"{what} {spec!r} cannot be imported: {error}") from error
    return found


def check_call(found: Any, what: str, takes: str, *arguments: Any, **named: Any) -> None:
    """Raise `BadInput` unless ``found`` is a callable that takes these arguments.

    Args:
        found: from the user.
        what: it is, for the message.
        takes: the arguments, for the message.
        arguments: by position.
        named: by keyword.
    """
    try:
        inspect.signature(found).bind(*arguments, **named)
    except TypeError as error:
        raise BadInput(f"{what} must be a callable that takes {takes}: {error}") from error
    except ValueError:  # some of C have no signature
        return


@functools.cache
def points_of(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, looked up once a process: every installed package is opened."""
    return tuple(entry_points(group=group))


class Registry(Generic[T]):
    """Known classes of one kind, by name.

    Args:
        kind: what a member is called in messages, e.g. ``"defense"``.
        group: the entry-point group through which other packages add members.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._classes: dict[str, type[T]] = {}
        self.combine: Callable[[str], type[T]] | None = None
        """Makes a class of names joined by ``+``; None where members do not combine."""

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator that makes a frozen dataclass known under ``name``."""

        def add(cls: C) -> C:
            known: object = self._classes.get(name)
            if known is not None and known is not cls:
                raise BadInput(f"{self.kind} {name!r} is registered twice")
            self._classes[name] = cls
            cls.name = name  # type: ignore[attr-defined]
            return cls

        return add

    @contextmanager
    def standing_in(self, name: str, cls: type[T]) -> Iterator[None]:
        """While this lasts ``name`` stands for ``cls``, whatever it stood for before."""
        before = self._classes.get(name)
        self._classes[name] = cls
        try:
            yield
        finally:
            if before is None:
                del self._classes[name]
            else:
                self._classes[name] = before

    def names(self) -> list[str]:
        """All known names, those of other packages' entry points included, sorted."""
        return sorted({*self._classes, *(e.name for e in points_of(self.group))})

    def find(self, name: str) -> type[T]:
        """The class behind a registered name, an entry point, ``pkg.module:Class`` or ``A+B``.

        Raises:
            BadInput: for an unknown name; the message lists the known ones.
        """
        if "+" in name and self.combine is not None:
            return self.combine(name)
        if name in self._classes:
            return self._classes[name]
        for point in points_of(self.group):
            if point.name == name:
                loaded: type[T] = point.load()
                self.register(name)(loaded)
                return loaded
        if ":" in name:
            found: type[T] = import_object(name, self.kind)
            if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
                raise BadInput(f"{self.kind} {name!r} is not a dataclass")
            return found
        known = ", ".join(self.names())
        raise BadInput(f"unknown {self.kind} {name!r}; known: {known}, or pkg.module:Class")

    def get(self, name: str, **options: Any) -> T:
        """An instance by name, its fields set by keyword.

        Raises:
            BadInput: unknown name, a class that lacks a method, unknown option, or a value
                outside its range.
        """
        cls = self.find(name)
        if inspect.isabstract(cls):
            missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
            raise BadInput(f"{self.kind} {name!r} lacks {missing}")
        known = [
            f.name
            for f in dataclasses.fields(cls)  # type: ignore[arg-type]
            if not f.metadata.get("hidden")
        ]
        for key in options:
            if key not in known:
                has = ", ".join(known) or "none"
                raise BadInput(f"{self.kind} {name!r} has no option {key!r}; it has: {has}")
        return cls(**options)
