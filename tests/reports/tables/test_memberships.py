from __future__ import annotations

import pytest

from reports import records
from tests import outcomes
from tests.outcomes import outline_of


@pytest.mark.parametrize(
    ("accuracy", "said"), [(0.9, "learned"), (0.1, "cannot be judged: the target did not learn")]
)
def test_the_membership_table_says_whether_the_target_learned(tmp_path, accuracy, said):
    records.write(outcomes.membership(accuracy=accuracy), tmp_path / "members")
    (section,) = [s for s in outline_of(tmp_path).sections if s.anchor == "memberships"]
    (target,) = {r.cells[section.table.heads.index("target")].text for r in section.table.rows}
    assert target.startswith(said)
