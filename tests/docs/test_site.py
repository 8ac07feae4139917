"""The docs as a site: built offline, strict, with every link leading somewhere."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
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


def test_the_tutorials_are_shown_with_their_pictures(site):
    text = (site / "tutorials" / "main_job.html").read_text()
    assert text.count("data:image/png;base64,") >= 2
    assert "leakgauge-record" in text and "&lt;div class=" not in text


def test_every_page_and_tutorial_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"tutorials/{path.stem}.md" for path in (ROOT / "docs/tutorials").glob("*.ipynb")}
    assert pages - set(re.findall(r"\S+\.md$", nav, re.MULTILINE)) == set()
