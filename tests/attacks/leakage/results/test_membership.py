"""What a membership attack as a test tells."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import pytest

import defenses
from attacks.leakage.numbers import explain
from attacks.leakage.results import membership
from defenses import BadInput, option
from reports import detection
from tests.attacks.leakage.coarse import MEMBERSHIP


@dataclass(frozen=True)
class Frozen(defenses.Compression):
    """Training under it learns nothing."""

    scale: float = option(0.001, "of the gradient", low=0)

    def compress(self, mean, plan, generator):
        update = {k: self.scale * v for k, v in mean.items()}
        return update, sum(v.numel() for v in update.values())


def test_a_target_that_did_not_learn_is_no_evidence(gauge, told):
    idle = gauge.membership(Frozen(), **MEMBERSHIP)
    assert not idle.learned and "the target did not learn" in repr(idle.learned)
    assert not idle.auc.high < 1 and not idle.tpr(0.1).high < 1.1
    for end in (idle.auc.low, idle.auc.mean, idle.auc.high):  # nothing here says that it is small
        assert not end < 1 and not end <= 1 and not end < 1 and not end <= 1.0
    assert idle.auc.low > 0.1
    assert explain("<", idle.auc.high, 0.6)[0].startswith("AUC of ")
    assert any("cannot be judged: the target did not" in x for x in idle.auc.lines())
    assert "cannot be judged: the target did not learn" in told[-1]
    with pytest.raises(AssertionError, match="cannot be judged"):
        gauge.check(idle)
    able = gauge.membership(Frozen(scale=1.0), **MEMBERSHIP)
    assert able.learned and able.auc.high < 1
    assert "; the target learned: " in told[-1]


def test_membership_has_its_intervals_and_bounds(gauge):
    options = {"noise_multiplier": 1.0}
    longer = {**MEMBERSHIP, "epochs": 12}
    found = gauge.membership("dpsgd", defense_options=options, batch_size=100, **longer)
    assert found.learned
    record = found.records[0]
    truth, scores = record.arrays["members"].numpy(), record.arrays[f"scores/{found.attack}"]
    assert found.auc.low < found.auc.mean < found.auc.high
    assert found.auc.mean == max(found.by(a).auc.mean for a in found.attacks)
    assert found.tpr(0.1).mean == record.summary["tpr_at"][found.attack]["0.1"]["mean"]
    assert found.tpr(0.02).high == detection.tpr_at(detection.sample(scores, truth), 0.02).high
    assert found.tpr(0.1).bound == detection.dp_bound(0.1, found.epsilon, 1e-5)
    with pytest.raises(BadInput, match="takes at least 1,000 non-members"):
        found.tpr(0.001)
    with pytest.raises(BadInput, match="'lira' was not played; there are: loss, rmia"):
        found.by("lira")


def test_members_found_above_the_bound_are_said_to_make_the_guarantee_false(gauge):
    found = gauge.membership("dpsgd", defense_options={"noise_multiplier": 1.0}, **MEMBERSHIP)
    (record,) = found.records
    assert not found.contradictions() and "the guarantee is false" not in found.headline()
    sure = record.arrays["members"].double()
    arrays = {**record.arrays, f"scores/{found.attack}": sure}
    bounds = {**record.bounds, "epsilon": 1.0, "holds": True}
    wrong = dataclasses.replace(
        found, records=(dataclasses.replace(record, arrays=arrays, bounds=bounds),)
    )
    (told,) = wrong.refutation
    assert told.startswith("the guarantee is false: ") and "where epsilon 1 allows" in told
    assert told in wrong.headline() and told in wrong.auc.lines()


def test_influences_average_to_the_auc_and_spread_like_its_error():
    draw = np.random.default_rng(1)
    members = np.arange(300) % 3 == 0
    scores = draw.normal(0, 1, 300).round(1) + members
    parts = membership.influence(scores, members)
    found = detection.auc(detection.sample(scores, members))
    assert parts.mean() == pytest.approx(found.mean)
    half = 1.96 * parts.std() / math.sqrt(300)
    assert half == pytest.approx((found.high - found.low) / 2, rel=0.02)
