"""Which files a user's own code is made of."""

from __future__ import annotations

import importlib
import sys

import pytest

from defenses.sources import source_digest


@pytest.mark.parametrize("folder", ["helpers", "site-packages"])
def test_what_is_installed_in_another_environment_is_nobodys_own(folder, tmp_path, monkeypatch):
    (tmp_path / folder).mkdir()
    helper = tmp_path / folder / "sources_helper.py"
    helper.write_text("WIDTH = 3\n")
    (tmp_path / "sources_mine.py").write_text("import sources_helper\nclass Net: pass\n")
    for place in (tmp_path, tmp_path / folder):
        monkeypatch.syspath_prepend(str(place))
    mine = importlib.import_module("sources_mine")
    before = source_digest(mine.Net)
    helper.write_text("WIDTH = 4\n")
    changed = source_digest(mine.Net) != before
    for name in ("sources_mine", "sources_helper"):
        sys.modules.pop(name)
    assert changed == (folder == "helpers")
