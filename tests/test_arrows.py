"""Who may import whom: data runs victims -> defenses -> attacks -> reports, imports as below."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ("leakgauge", "attacks", "victims", "reports", "defenses")
"""Each room may import those to its right, and itself."""
FILES = sorted(path for room in ORDER for path in (ROOT / room).rglob("*.py"))
INGREDIENTS = ("charts", "tables", "pictures", "sentences")
"""Of a page, which alone joins them: they do not know each other, but for these types."""
TYPES = {"reports.tables.table.Table", "reports.pictures.picture.Picture"}
PACKAGES = sorted(path.parent.name for path in (ROOT / "reports").glob("*/__init__.py"))


def imports(path: Path) -> set[str]:
    """Dotted names: of modules, and of what is taken from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)} & set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_room_imports_only_those_to_its_right(path):
    room = path.relative_to(ROOT).parts[0]
    assert rooms_imported(path) <= set(ORDER[ORDER.index(room) :])


def test_nobody_touches_the_callers_matplotlib():
    for path in FILES:
        assert not {name for name in imports(path) if "pyplot" in name}, path
        assert "matplotlib.use(" not in path.read_text(), path


def test_one_file_calls_a_model_at_other_weights():
    callers = {path for path in FILES if "functional_call" in path.read_text()}
    assert callers == {ROOT / "victims/gradients/logits_at.py"}


@pytest.mark.parametrize("own", PACKAGES)
def test_only_the_page_joins_charts_tables_pictures_and_sentences(own):
    others = tuple(f"reports.{name}." for name in INGREDIENTS if name != own)
    for path in (ROOT / "reports" / own).rglob("*.py"):
        seen = {name for name in imports(path) if f"{name}.".startswith(others)} - TYPES
        assert not seen or own == "page", path


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path: Path, known: set[str]) -> set[str]:
    found = {name if name in known else name.rpartition(".")[0] for name in imports(path)}
    return found & known - {module_of(path)}


def test_no_file_imports_what_imports_it():
    known = {module_of(path) for path in FILES}
    graph = {module_of(path): modules_imported(path, known) for path in FILES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(FILES)  # a circle raises
