"""The Records of a small sweep, to which those of every executor must be equal."""

from __future__ import annotations

import pytest

from reports.sweep import serial
from tests.reports.sweep.crossed import canonical, tasks


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    outcomes = list(serial.run(tasks(folder)))
    assert [o.error for o in outcomes] == [None, None]
    return canonical(folder)
