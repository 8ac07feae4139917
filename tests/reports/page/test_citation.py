from __future__ import annotations

import tomllib
from pathlib import Path

from reports.page import citation

ROOT = Path(__file__).parents[3]


def test_the_citation_file_the_package_and_the_page_say_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    facts = dict(line.split(": ", 1) for line in lines if ": " in line and line[0] != " ")
    assert facts["version"] == project["version"]
    assert facts["license"] == project["license"]
    assert facts["title"].strip('"') == citation.TITLE
    assert f"  - name: {citation.AUTHORS}" in lines
    assert facts["date-released"].startswith(f"{citation.YEAR}")
    assert citation.TITLE in citation.citation() and citation.AUTHORS in citation.bibtex()
