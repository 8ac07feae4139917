from __future__ import annotations

from reports.records.column import ATTACKERS, Column


def test_a_column_is_its_key_and_its_rows():
    for defense in ("dprs", "dprs@500", "mine/with:slash"):
        for attacker in ATTACKERS:
            column = Column(defense, attacker)
            assert Column.of(column.key) == column
            row = {"defense": defense, "adaptive": attacker == "adaptive", "psnr": 9.0}
            assert Column.of_row(row) == column
            assert column.adaptive == row["adaptive"]
    assert Column("dprs", "naive").key == "dprs/naive"
