"""The pytest plugin: fixture and marker `leakage`, failures with numbers, a summary of leaks.

Loaded by every run of pytest in an environment with leakgauge, so nothing of the rooms comes
before the first test that asks for the fixture: a project may have an ``attacks`` of its own.
"""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leakgauge import rooms

if TYPE_CHECKING:
    from attacks.leakage.fixture import Leakage

PROPERTY = "leakage"
"""Name of the lines that tests report; they are in a JUnit file too."""
FIXTURE, NUMBERS = "leakgauge.attacks.leakage.fixture", "leakgauge.attacks.leakage.numbers"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two flags."""
    group = parser.getgroup("leakage", "leakage of defenses (leakgauge)")
    text = "store what leakage.check measures as the new baselines"
    group.addoption("--leakage-update", action="store_true", help=text)
    text = (
        "folder for figures and results of leakage tests (default: below the cache, if one fails)"
    )
    group.addoption("--leakage-out", metavar="DIR", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; see `leakgauge.rooms.install`."""
    rooms.install()
    text = "leakage: attacks a defense; every test with the fixture leakage has this marker"
    config.addinivalue_line("markers", text)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the fixture, so that ``-m leakage`` selects it."""
    if "leakage" in getattr(item, "fixturenames", ()):
        item.add_marker("leakage")


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """A failing comparison of a leak: its interval, guessing, the bound, the figure."""
    numbers: Any = sys.modules.get(NUMBERS)  # no leak has been measured before it is there
    found: list[str] | None = numbers and numbers.explain(op, left, right)
    return found


@pytest.fixture
def leakage(request: pytest.FixtureRequest) -> Leakage:
    """Attacks on a defense: `invert`, `membership`, `audit`; `conforms`; `check`."""
    try:
        import_module(NUMBERS)
        made: type[Leakage] = import_module(FIXTURE).Leakage
    except ImportError as error:  # no skip: a test that did not run would pass for safety
        pytest.fail(f"leakage: leakgauge cannot be imported here: {error}", pytrace=False)
    node = request.node
    out = request.config.getoption("--leakage-out")
    names = [node.path.stem, *node.nodeid.split("::")[1:]]

    def tell(line: str) -> None:
        node.user_properties.append((PROPERTY, line))

    return made(
        out=Path(out).absolute() if out else _cache(request),
        baselines=node.path.parent / "leakage_baselines",
        test=".".join(names),
        update=request.config.getoption("--leakage-update"),
        tell=tell,
        keep=out is not None,
        command=shlex.join(["python", "-m", "pytest", node.nodeid]),
    )


def _cache(request: pytest.FixtureRequest) -> Path:
    cache = getattr(request.config, "cache", None)
    if cache is not None:
        return Path(cache.mkdir("leakage"))
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    return factory.mktemp("leakage")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What every test found to leak, whether it passed or not."""
    told: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                lines = [text for name, text in report.user_properties if name == PROPERTY]
                told.setdefault(report.nodeid, lines)
    if not any(told.values()):
        return
    terminalreporter.section("leakage")
    for test, lines in told.items():
        if lines:
            terminalreporter.line(test)
            for line in lines:
                terminalreporter.line(f"  {line}")
