"""Finds the rooms as ``leakgauge.attacks`` and so on, also where another project has these names.

A room is one module in a process: the top-level ``attacks`` where that name stands for ours, and
where it stands for somebody else's folder one whose imports name ``leakgauge.attacks``. A room of
another copy of this project is ours too: of a checkout on the path beside what is installed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("attacks", "victims", "reports", "defenses")
"""Each imports those to its right alone."""
HOME = Path(__file__).resolve().parent.parent
PREFIX = "leakgauge."


@cache
def apart() -> frozenset[str]:
    """The rooms that are loaded under ``leakgauge`` alone: those whose names stand for others.

    A room that imports one of them is apart too. Asked once a process: a room does not move.
    """
    taken = [place for place, room in enumerate(ROOMS) if not _is_ours(room)]
    return frozenset(ROOMS[: max(taken, default=-1) + 1])


def _is_ours(room: str) -> bool:
    """Whether ``import room`` gives ours in this process, as far as can be told without it."""
    folder = place_of(room)
    return folder is not None and (folder.parent / "leakgauge" / Path(__file__).name).is_file()


def place_of(room: str) -> Path | None:
    """The folder that ``import room`` reads in this process; None where it reads no package."""
    module = sys.modules.get(room)
    try:
        spec = find_spec(room) if module is None else module.__spec__
    except ValueError:  # a module that somebody made by hand
        spec = None
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    folder = None if origin is None else Path(origin).resolve().parent
    return folder if folder is not None and folder.name == room else None


class Rooms(MetaPathFinder):
    """Finds ``leakgauge.attacks`` and all below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a room or of a module in one; None for all others."""
        inner = fullname.removeprefix(PREFIX)
        room = inner.partition(".")[0]
        if inner == fullname or room not in ROOMS:
            return None
        if room not in apart():
            return ModuleSpec(fullname, _Alias(inner))
        found = PathFinder.find_spec(fullname, [str(HOME)] if inner == room else path)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Apart(fullname, found.loader.path)
        return found


class _Alias(Loader):
    """Gives a module a second name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the first name; its own spec is put aside."""
        module = import_module(self.name)
        self.spec = module.__spec__
        outer, _, inner = self.name.rpartition(".")
        if outer and getattr(sys.modules[outer], inner, module) is not module:
            # To import it would put it in the place of what the package shows by that name.
            raise ImportError(f"{spec.name} is another object than a module; import {self.name}")
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put its own spec back: the module has run already."""
        module.__spec__ = self.spec


class _Apart(SourceFileLoader):
    """Loads a module of a room whose imports of rooms name those of ``leakgauge``."""

    def path_stats(self, path: str) -> dict[str, Any]:
        """Raise OSError: compiled files belong to the module under its other name."""
        raise OSError("not cached")

    def source_to_code(self, data: Any, path: Any, **kept: Any) -> Any:  # type: ignore[override]
        """The code object, see `rename`."""
        return compile(rename(ast.parse(data), apart()), path, "exec", dont_inherit=True)


def rename(tree: ast.Module, rooms: Collection[str]) -> ast.Module:
    """The same module, in which ``import attacks.x`` says ``leakgauge.attacks.x`` for rooms."""
    _Rename(rooms).visit(tree)
    return ast.fix_missing_locations(tree)


class _Rename(ast.NodeTransformer):
    def __init__(self, rooms: Collection[str]) -> None:
        self.rooms = rooms

    def _of_a_room(self, name: str) -> bool:
        return name.partition(".")[0] in self.rooms

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module and not node.level and self._of_a_room(node.module):
            node.module = PREFIX + node.module
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            room = alias.name.partition(".")[0]
            if not self._of_a_room(alias.name):
                made.append(ast.Import([alias]))
            elif alias.asname or alias.name == room:
                name = ast.alias(PREFIX + alias.name, alias.asname or alias.name)
                made.append(ast.Import([name]))
            else:  # loads the inner module, and binds the outer one
                made.append(ast.Import([ast.alias(PREFIX + alias.name, room)]))
                made.append(ast.Import([ast.alias(PREFIX + room, room)]))
        return [ast.copy_location(statement, node) for statement in made]


def install() -> None:
    """Let imports find the rooms before anybody else looks for them.

    Called by the package and by each run of pytest, whose own finder comes first and would load
    what lies in a room a second time.
    """
    others = [finder for finder in sys.meta_path if not isinstance(finder, Rooms)]
    sys.meta_path[:] = [Rooms(), *others]
