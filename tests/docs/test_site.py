"""The docs as a site: built offline, strict, with every link leading somewhere.

Building it takes ten seconds, slowly; what it is made of is looked at quickly.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import posixpath
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = {
    "attacks": ("attacks", "attacks.invert", "attacks.membership", "attacks.audit"),
    "defenses": ("defenses",),
    "victims": ("victims",),
    "reports": ("reports", "reports.records", "reports.scores", "reports.detection"),
}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    for name in ("material", "mkdocstrings"):
        pytest.importorskip(name, reason=f"{name} is not installed: the site is not built")
    folder = tmp_path_factory.mktemp("site")
    offline = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), NOWHERE)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, **offline, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_link_leads_somewhere_and_nothing_is_fetched(site):
    pages = {path: path.read_text() for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 15
    ids = {path: set(re.findall(r'\bid="?([^"\s>]+)', text)) for path, text in pages.items()}
    broken = []
    for path, text in pages.items():
        for link in re.findall(r'<a\s[^>]*?href="([^"]+)"', text):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = unquote(link).partition("#")
            goal = (path.parent / target).resolve() if target else path
            if not goal.exists() or (anchor and goal in ids and anchor not in ids[goal]):
                broken.append((path.name, link))
        fetched = re.findall(r'<(?:link|script|img)\s[^>]*?(?:href|src)="(https?:[^"]+)"', text)
        assert not fetched, path
    assert not broken, broken


@pytest.mark.slow
@pytest.mark.parametrize("page", PUBLIC)
def test_the_reference_has_every_public_name(site, page):
    found = set(re.findall(r'id="([\w.]+)"', (site / "reference" / f"{page}.html").read_text()))
    modules = [importlib.import_module(name) for name in PUBLIC[page]]
    names = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in module.__all__
        if inspect.isroutine(getattr(module, name)) or inspect.isclass(getattr(module, name))
    ]
    # Of a function that is called as its module the page has the module.
    names = [name for name in names if find_spec(name) is None]
    assert len(names) > 5
    missing = [name for name in names if name not in found]
    assert not missing, missing


@pytest.mark.slow
def test_the_tutorials_are_shown_with_their_pictures(site):
    text = (site / "tutorials" / "main_job.html").read_text()
    assert text.count("data:image/png;base64,") >= 2
    assert "leakgauge-record" in text and "&lt;div class=" not in text


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """docs/hooks.py, which makes the site's pages."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: its hooks cannot be imported")
    spec = importlib.util.spec_from_file_location("hooks_of_the_site", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources(hooks: ModuleType) -> dict[str, Path]:
    """Page of the site -> file that it shows, of all but tutorials and reference."""
    found = {path.name: path for path in (ROOT / "docs").glob("*.md")}
    return found | {page: ROOT / path for page, path in hooks.ELSEWHERE.items()}


def anchors(text: str) -> set[str]:
    """Of the headings of a page in Markdown."""
    from markdown.extensions.toc import slugify

    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return {slugify(heading, "-") for heading in re.findall(r"(?m)^#+ +(.+)$", bare)}


def test_every_link_of_a_source_leads_to_a_page_and_a_heading(hooks):
    pages = sources(hooks)
    headings = {page: anchors(path.read_text()) for page, path in pages.items()}
    made = {f"reference/{name}.md" for name in hooks.REFERENCE}
    made |= {f"tutorials/{path.stem}.md" for path in (ROOT / "docs/tutorials").glob("*.ipynb")}
    broken, seen = [], 0
    for page, path in pages.items():
        shown = SimpleNamespace(file=SimpleNamespace(src_uri=page))
        text = hooks.on_page_markdown(path.read_text(), shown)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            goal = posixpath.normpath(target) if target else page
            place = ROOT / goal[:-4].removeprefix("source/") if goal.startswith("source/") else None
            there = goal in pages or goal in made or (ROOT / "docs" / goal).is_file()
            there = there or (place is not None and place.is_file())
            if not there or (anchor and goal in headings and anchor not in headings[goal]):
                broken.append((page, link))
            seen += 1
    assert not broken, broken
    assert seen > 100


def test_the_reference_is_made_of_every_public_package(hooks):
    assert hooks.REFERENCE.keys() == PUBLIC.keys()
    for page, modules in PUBLIC.items():
        assert set(modules) <= set(hooks.REFERENCE[page])
        assert all(importlib.import_module(name).__doc__ for name in hooks.REFERENCE[page])


def test_a_tutorial_is_turned_into_markdown_with_its_pictures(hooks):
    book = json.loads((ROOT / "docs/tutorials/main_job.ipynb").read_text())
    text = "\n\n".join(hooks._cells(book))
    assert text.count("data:image/png;base64,") >= 2
    assert "leakgauge-record" in text and "&lt;div class=" not in text


def test_every_page_and_tutorial_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"tutorials/{path.stem}.md" for path in (ROOT / "docs/tutorials").glob("*.ipynb")}
    assert pages - set(re.findall(r"\S+\.md$", nav, re.MULTILINE)) == set()
