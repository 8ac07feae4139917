"""How a report and the program that made it are cited."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

AUTHORS, NAME = "The leakgauge authors", "leakgauge"
TITLE = "leakgauge: how much of the private data a training update gives away"
YEAR = 2026


def installed_version() -> str:
    """The version of leakgauge that is installed; empty where it runs from its folder alone."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return ""


def citation() -> str:
    """One line for a list of references."""
    told = installed_version()
    return f"{AUTHORS} ({YEAR}). {TITLE}{f' (version {told})' if told else ''} [computer software]."


def bibtex() -> str:
    """The same for BibTeX."""
    fields = {
        "author": f"{{{AUTHORS}}}",
        "title": f"{{{TITLE}}}",
        "year": f"{YEAR}",
        "version": installed_version(),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@software{{{NAME},", *lines, "}"])
