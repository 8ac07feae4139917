"""Names for defenses and attacks: a decorator, an entry point or ``pkg.module:Class``."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from defenses.errors import BadInput, meant
from defenses.foreign import import_object
from defenses.options import shown_options

T = TypeVar("T")
C = TypeVar("C", bound=type)


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
        hint = meant(name, self.names())
        raise BadInput(f"unknown {self.kind} {name!r}; {hint}known: {known}, or pkg.module:Class")

    def named(self, instance: Any) -> tuple[str, dict[str, Any]]:
        """The name and the options by which `get` makes an equal instance.

        Args:
            instance: of a registered class, or of one that can be imported from its module.

        Raises:
            BadInput: it is no instance of a dataclass, or its class is found under no name, as
                one that was written inside a function is.
        """
        cls: Any = type(instance)
        if isinstance(instance, type) or not dataclasses.is_dataclass(instance):
            raise BadInput(f"{instance!r:.60} is no {self.kind}: give a name or an instance")
        name = str(getattr(cls, "name", "") or "")
        if self._classes.get(name) is not cls:
            name = f"{cls.__module__}:{cls.__qualname__}"
            if "<" in name or import_object(name, self.kind) is not cls:
                raise BadInput(
                    f"{self.kind} {cls.__name__} lies in no module, by which a Scenario could name "
                    "it: write its class outside functions"
                )
        return name, shown_options(instance)

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
                hint = meant(key, known)
                raise BadInput(f"{self.kind} {name!r} has no option {key!r}; {hint}it has: {has}")
        return cls(**options)
