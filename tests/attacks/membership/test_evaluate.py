"""Scores of an attack, evaluated and kept as a Record."""

from __future__ import annotations

import json
import math

import pytest
import torch

from attacks import membership
from defenses import BadInput
from reports.records import Record
from reports.records import membership as memberships
from tests.attacks.membership.simulated import simulate


@pytest.mark.parametrize(
    ("scores", "members", "message"),
    [
        ([0.1, math.nan], [True, False], "score 1 is nan"),
        ([0.1, 0.2], [True, True], "of 2 examples 2 are members; both kinds"),
        ([0.1, 0.2], [False, False], "of 2 examples 0 are members"),
        ([0.1, 0.2, 0.3], [True, False], "both must be .N,."),
        ([0.1, 0.2], [2, 0], "bool, or 0 and 1"),
    ],
)
def test_scores_that_cannot_be_evaluated_are_told_in_one_line(scores, members, message):
    with pytest.raises(BadInput, match=message):
        membership.evaluate(torch.tensor(scores), torch.tensor(members))


def test_evaluate_fills_a_record_that_the_page_reads():
    evidence, truth = simulate()
    scores = membership.get("lira").scores(evidence)
    found = membership.evaluate(scores, truth)
    json.dumps(found, allow_nan=False)
    assert found["members"] + found["non_members"] == 200
    assert list(found["tpr_at"]) == ["0.1", "0.01", "0.001", "0.0001"]
    assert found["tpr_at"]["0.1"]["mean"] > 0.1
    assert found["tpr_at"]["0.0001"]["mean"] is None
    assert "at least 10,000 non-members" in found["tpr_at"]["0.0001"]["reason"]
    arrays = {"members": truth, "scores/lira": scores}
    record = Record("membership", {}, [], {"auc": {"lira": found["auc"]}}, {}, {}, {}, arrays)
    page = memberships.parse(record)
    assert page.auc("lira").mean == found["auc"]["mean"]
    assert page.tpr("lira", 0.1).mean == found["tpr_at"]["0.1"]["mean"]
