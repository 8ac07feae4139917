"""What a training Record says of its epsilon."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from reports.records import read
from reports.records.training import parse

RECORD = Path("tests/fixtures/records/training-v1")


def test_the_least_account_counts_as_long_as_what_it_assumes_is_true():
    record = read(RECORD)
    spent = record.bounds["epsilon"]
    assert parse(record).epsilon == pytest.approx(min(spent.values()))
    none_counts = [
        {**record.bounds, "holds": False},
        {k: v for k, v in record.bounds.items() if k != "epsilon"},
    ]
    for bounds in none_counts:
        assert math.isinf(parse(replace(record, bounds=bounds)).epsilon)
    one_counts = {**record.bounds, "epsilon": {**spent, "prv": None}}
    assert parse(replace(record, bounds=one_counts)).epsilon == pytest.approx(spent["rdp"])
