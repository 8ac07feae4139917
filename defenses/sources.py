"""Digests of code that is the user's own, so that a result is not taken for another version's."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

OURS = frozenset({"attacks", "defenses", "leakgauge", "reports", "victims"})
INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of what is installed, in whatever environment."""


def source_digest(found: object) -> str:
    """Hex digits that name the files a class, function or instance is made of.

    Its module's file and, through what these modules name, all others that are neither this
    project's nor installed: an own helper module counts as well.

    Returns:
        64 hex digits; empty for this project's own code.
    """
    name = getattr(found, "__module__", None)
    if not isinstance(name, str) or name.partition(".")[0] in OURS or name not in sys.modules:
        return ""
    files: dict[str, Path] = {}
    left = [sys.modules[name]]
    while left:
        module = left.pop()
        path = _file(module)
        if path is None or module.__name__ in files:
            continue
        files[module.__name__] = path
        left += [m for m in map(_home, vars(module).values()) if m is not None and _is_own(m)]
    told = hashlib.sha256()
    for key in sorted(files):
        told.update(hashlib.sha256(files[key].read_bytes()).digest())
    return told.hexdigest()


def _home(value: object) -> ModuleType | None:
    """The module itself, or the one that a value comes from."""
    if isinstance(value, ModuleType):
        return value
    name = getattr(value, "__module__", None)
    return sys.modules.get(name) if isinstance(name, str) else None


def _is_own(module: ModuleType) -> bool:
    """Whether a module is neither this project's nor installed."""
    path = _file(module)
    if path is None or module.__name__.partition(".")[0] in OURS:
        return False
    # An environment may take packages from another one (--system-site-packages).
    if not INSTALLED.isdisjoint(path.parts):
        return False
    places = {Path(p).resolve() for p in sysconfig.get_paths().values()}
    return not any(path.is_relative_to(place) for place in places)


def _file(module: ModuleType) -> Path | None:
    name = getattr(module, "__file__", None)
    path = Path(name).resolve() if isinstance(name, str) else None
    return path if path is not None and path.is_file() else None
