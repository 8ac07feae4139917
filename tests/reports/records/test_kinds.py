from __future__ import annotations

from reports.records import membership
from reports.records.find import gather
from reports.records.kinds import sort_out
from tests import outcomes


def test_kinds_are_told_apart(tmp_path):
    outcomes.everything(tmp_path)
    found = sort_out(gather([tmp_path]))
    assert len(found.inversions) == 13
    assert len(found.trainings) == 4
    (record,) = found.memberships
    assert isinstance(record, membership.MembershipRecord)
    assert [a.broken for audit in found.audits for a in audit.rows] == [False, False, True, False]
    assert {p.name for p, _ in found.gathered.skipped} == {"wrong", "broken"}
