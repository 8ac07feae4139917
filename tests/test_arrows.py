"""Who may import whom: data runs victims -> defenses -> attacks -> reports, imports as below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ("attacks", "victims", "reports", "defenses")
"""Each room may import those to its right, and itself."""
FILES = sorted(path for room in ORDER for path in (ROOT / room).rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_only_those_to_its_right(path):
    room = path.relative_to(ROOT).parts[0]
    assert rooms_imported(path) <= set(ORDER[ORDER.index(room) :])
