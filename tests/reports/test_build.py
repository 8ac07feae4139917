from __future__ import annotations

import pytest

from reports import build


def test_nothing_to_report_writes_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folders in (["empty"], ["nowhere"]):
        argv = [str(tmp_path / f) for f in folders] + ["--out", str(tmp_path / "out")]
        with pytest.raises(build.BadInput, match="no Records"):
            build.main(argv)
    with pytest.raises(build.BadInput, match="two folders"):
        build.main([str(tmp_path), "--compare", "--out", str(tmp_path / "out")])
    with pytest.raises(build.BadInput, match="--figures"):
        build.main([str(tmp_path), "--style", "slides", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        build.main(["--compare"])
    assert stop.value.code == 2
    assert not (tmp_path / "out").exists()
