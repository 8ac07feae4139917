"""Stand-ins for heavy libraries, with which this project's modules can be imported in no time.

Flags are made of dataclass fields, whose modules import torch for other reasons: reading a command
line needs none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

HEAVY = frozenset(
    {
        *("PIL", "jinja2", "joblib", "kymatio", "lpips", "markupsafe", "matplotlib", "numpy"),
        *("opacus", "ray", "reportlab", "safetensors", "scipy", "skimage", "sklearn"),
        *("threadpoolctl", "torch", "torchvision", "tqdm"),
    }
)
"""Libraries of which nothing decides what a flag is called, takes or says."""


class Refused(ImportError):
    """A module was asked for that is neither Python's, ours nor in `HEAVY`: somebody's code."""


class Inert:
    """Anything that a module does with a library while it is imported; it does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Itself again."""
        return self

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()  # a class that derives from one derives from nothing

    def __getitem__(self, key: Any) -> Any:
        return self

    def __or__(self, other: Any) -> Any:
        return self

    __ror__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __or__
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __or__


class _Module(ModuleType):
    """A library's module: every name in it is inert."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Inert()


class _Finder(MetaPathFinder, Loader):
    """Finds stand-ins, and refuses whatever is not known."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self.allowed = allowed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top in HEAVY:
            return ModuleSpec(fullname, self, is_package=True)
        if top in self.allowed or top in sys.stdlib_module_names:
            return None
        raise Refused(f"{fullname} is not imported for its flags")

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs."""


@contextmanager
def inert_libraries(ours: Sequence[str]) -> Iterator[None]:
    """While this lasts the libraries in `HEAVY` are stand-ins; then all is forgotten.

    What was imported meanwhile is taken out of ``sys.modules``, so that it is imported for real
    when it is asked for again.

    Args:
        ours: top-level names that may be imported as they are.
    """
    finder, before = _Finder(frozenset(ours)), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            top, _, rest = name.partition(".")
            if top in HEAVY or top in ours:
                module = sys.modules.pop(name)
                outer = sys.modules.get(name.rpartition(".")[0])
                if rest and vars(outer or module).get(name.rpartition(".")[2]) is module:
                    delattr(outer, name.rpartition(".")[2])
