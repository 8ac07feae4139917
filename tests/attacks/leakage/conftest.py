"""What the tests of leakage measure with."""

from __future__ import annotations

import pytest

from attacks.leakage.fixture import Leakage
from tests.attacks.leakage.coarse import TINY, Coarse


@pytest.fixture
def told():
    return []


@pytest.fixture
def gauge(tmp_path, told):
    folders = {"out": tmp_path / "out", "baselines": tmp_path / "leakage_baselines"}
    return Leakage(**folders, test="test_mine.test_it", tell=told.append)


@pytest.fixture(scope="session")
def inverted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inverted")
    return Leakage(folder, folder, "test_mine.test_it").invert(Coarse(), **TINY)
