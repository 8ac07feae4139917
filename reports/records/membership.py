"""Records of membership inference: scores of members and non-members, and their ROC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from reports import detection
from reports.estimates import NOTHING, Estimate
from reports.estimates.intervals import LEVEL, Values
from reports.evidence.learned import Learned, doubt, judge_target
from reports.evidence.undefended import Undefended
from reports.records import exposed as accusations
from reports.records.checks import clean, epsilon, estimate, mapping, required_field, share, text
from reports.records.exposed import ExposedMember
from reports.records.find import Source
from reports.records.form import ENDS, Count, Share, ShareMean, ShareOf, check_form
from reports.records.record import Record
from reports.records.training import ClaimBounds

KIND = "membership"
START = "scores/"
"""Opens the name of the array of every attack's scores."""
CONTROL = "control/"
"""Opens the name of the array of every attack's scores in the undefended twin of a federation."""


class Row(TypedDict):
    """A candidate, as ``rows`` holds it; the one whom the strongest attack accuses first is first.

    Attributes:
        example: its number among the candidates.
        member: whether the target was trained on it.
        label: name of its class.
        false_alarms: non-members that score at least as high under the strongest attack: whom
            accusing this candidate would accuse wrongly.
        scores: attack -> score, higher is more likely a member.
    """

    example: Count
    member: bool
    label: str
    false_alarms: Count
    scores: dict[str, float]


class Balanced(ShareMean):
    """Balanced accuracy at the threshold that half of the examples choose, on the others.

    Attributes:
        best: accuracy at the best threshold of all, which nobody knows beforehand.
        threshold: the best threshold.
    """

    best: NotRequired[Share]
    threshold: NotRequired[float]


class Caught(ShareMean):
    """TPR at an FPR; ``reason``: why there is none."""

    reason: NotRequired[str]


class Model(TypedDict):
    """Shares that a model gets right: of its members, of others, and of members untrained."""

    inside: Share
    outside: Share
    start: NotRequired[Share]


class Models(TypedDict):
    """The target, and the mean of the shadow models."""

    target: Model
    shadows: Model


class Control(TypedDict):
    """What the attacks find in a federation's uploads where nothing defends them.

    Attributes:
        beside: whether a twin was played for it, whose scores are in arrays that `CONTROL` opens;
            else the result itself is undefended.
        auc: attack -> AUC, whose intervals hold for all attacks at once.
    """

    beside: bool
    auc: dict[str, ShareOf]


class Summary(TypedDict):
    """What the attacks come to, as ``summary`` holds it by attack.

    Attributes:
        auc: area under the ROC; Records of others may hold one for all.
        balanced_accuracy: see `Balanced`.
        tpr_at: FPR, as text, -> TPR.
        members: how many candidates are members.
        non_members: how many are not.
        models: what they get right.
        strongest: the attack with the highest AUC.
        control: of a federation, see `Control`.
    """

    auc: dict[str, ShareOf | Share] | ShareOf | Share
    balanced_accuracy: dict[str, Annotated[Balanced, ENDS]]
    tpr_at: dict[str, dict[str, Annotated[Caught, ENDS]]]
    members: dict[str, Count]
    non_members: dict[str, Count]
    models: Models
    strongest: str
    control: NotRequired[Control]


class Baseline(TypedDict):
    """What guessing comes to: its AUC, and its TPR at an FPR, in words."""

    auc: NotRequired[Share]
    tpr: NotRequired[str]


class Form(TypedDict):
    """The parts of a Record of this kind that hold numbers."""

    rows: list[Row]
    summary: Summary
    baseline: Baseline
    bounds: ClaimBounds


@dataclass(frozen=True)
class MembershipRecord:
    """One membership Record, checked.

    Attributes:
        source: where it is from.
        members: (N,) whether each example was trained on; empty when scores are not stored.
        scores: attack -> (N,), higher is more likely a member.
        told: attack -> AUC as the Record's summary has it.
        epsilon: infinite when nothing is guaranteed; None when the Record does not say.
        delta: of that epsilon.
        exposed: the members found out first, most exposed first; may be empty.
        strongest: the attack that finds them out; nothing where the Record does not say.
        learned: what the target gets right of its members; None where the Record does not say.
        control: of a federation, what undefended uploads give away; None for trainings.
    """

    source: Source
    members: NDArray[np.bool_]
    scores: dict[str, Values]
    told: dict[str, Estimate]
    epsilon: float | None
    delta: float
    exposed: tuple[ExposedMember, ...]
    strongest: str
    learned: Learned | None = None
    control: Undefended | None = None

    @property
    def anchor(self) -> str:
        """Names the Record's rows within the page, ``membership-3``."""
        return f"membership-{self.source.number}"

    @property
    def doubt(self) -> str:
        """Why finding nobody is no evidence, empty where it is some.

        See `learned.doubt` of trainings, and `Undefended.doubt` of federations, whose accuracy on
        the target's members the other participants make.
        """
        return doubt(self.learned) if self.control is None else self.control.doubt

    @property
    def outside(self) -> int:
        """How many were not trained on."""
        return int((~self.members).sum())

    def roc(self, attack: str) -> tuple[Values, Values]:
        """False and true positive rates of an attack with scores, (M,) each."""
        false, true, _ = detection.roc(self.scores[attack], self.members)
        return false, true

    def auc(self, attack: str, level: float = LEVEL) -> Estimate:
        """AUC of an attack from its scores; as the summary has it where they are not stored."""
        if attack in self.scores:
            return detection.auc(self._sample(attack), level)
        return self.told[attack]

    def tpr(self, attack: str, false_rate: float, level: float = LEVEL) -> Estimate:
        """TPR of an attack at an FPR of at most ``false_rate``; nothing where it cannot be told."""
        if attack not in self.scores or not self.resolves(false_rate):
            return NOTHING
        return detection.tpr_at(self._sample(attack), false_rate, level)

    def resolves(self, false_rate: float) -> bool:
        """Whether there are enough non-members to tell who is caught at this rate."""
        return self.outside * false_rate >= 1 - 1e-9

    def tells(self, false_rate: float, level: float) -> bool:
        """Whether the lower end of an interval of ``level`` can be above 0 at this rate."""
        return (1 - false_rate) ** self.outside <= (1 - level) / 2

    def bound(self, false: Values) -> Values:
        """TPR that no attack exceeds at these FPRs, by (epsilon, delta)."""
        return detection.dp_bound(false, self._claim, self.delta)

    @property
    def largest(self) -> float:
        """AUC that no attack exceeds, by (epsilon, delta)."""
        return detection.dp_area(self._claim, self.delta)

    @property
    def attacks(self) -> list[str]:
        """Names, those with scores first."""
        return list(dict.fromkeys([*self.scores, *self.told]))

    @property
    def _claim(self) -> float:
        return math.inf if self.epsilon is None else self.epsilon

    def _sample(self, attack: str) -> detection.Sample:
        return detection.sample(self.scores[attack], self.members)


def parse(record: Record, source: Source | None = None) -> MembershipRecord:
    """The Record, checked and converted.

    Args:
        record: of kind `KIND`.
        source: where it lies; None where it lies nowhere yet.

    Raises:
        ValueError: something has a type or range that no Record has; one line says what.
    """
    members = np.zeros(0, dtype=bool)
    if "members" in record.arrays:
        members = record.arrays["members"].numpy() > 0
        if members.ndim != 1 or members.all() or not members.any():
            raise ValueError("members do not hold both kinds of examples in one row")
    scores = _scores(record, members, START)
    told = _areas(record.summary.get("auc"), list(scores))
    if not scores and not told:
        raise ValueError("there are neither scores nor an AUC")
    check_form(record.parts(), Form)
    # Epsilon counts only where the Record says that the training kept what the accountant assumes:
    # else it bounds nothing.
    has = "epsilon" in record.bounds and record.bounds.get("holds") is True
    if has:
        required_field(record.bounds, "delta", "bounds")
    return MembershipRecord(
        source=source or Source(record),
        members=members,
        scores=scores,
        told=told,
        epsilon=epsilon(record.bounds["epsilon"], "bounds.epsilon") if has else None,
        delta=share(record.bounds.get("delta", 0), "bounds.delta"),
        exposed=accusations.parse(record),
        strongest=text(record.summary.get("strongest", ""), "summary.strongest"),
        learned=_target(record),
        control=_undefended(record, members, scores),
    )


def judge_together(records: Sequence[MembershipRecord]) -> list[MembershipRecord]:
    """The Records, whose controls share one error, and whose targets share another."""
    controls = sum(len(one.control.areas) for one in records if one.control is not None)
    targets = sum(one.learned is not None for one in records if one.control is None)
    return [_among(one, controls, targets) for one in records]


def _among(record: MembershipRecord, controls: int, targets: int) -> MembershipRecord:
    """The Record judged as one of so many results; by its control where it has one."""
    if record.control is not None:
        return replace(record, control=replace(record.control, compared=controls))
    if record.learned is not None:
        return replace(record, learned=replace(record.learned, compared=targets))
    return record


def _scores(record: Record, members: NDArray[np.bool_], start: str) -> dict[str, Values]:
    """Attack -> (N,) of the arrays whose names begin so; none where members are not stored."""
    scores: dict[str, Values] = {}
    for name, values in sorted(record.arrays.items()):
        if not len(members) or not name.startswith(start):
            continue
        own = values.double().numpy()
        if own.shape != members.shape or not np.isfinite(own).all():
            raise ValueError(f"{name:.80} does not hold one finite score per example")
        scores[clean(name.removeprefix(start))] = own
    return scores


def _target(record: Record) -> Learned | None:
    models = mapping(record.summary.get("models", {}), "summary.models")
    target = mapping(models.get("target", {}), "summary.models.target")
    if not {"inside", "outside", "start"} <= target.keys():
        return None
    accuracies = {
        name: share(target[name], f"summary.models.target.{name}")
        for name in ("inside", "outside", "start")
    }
    rows = [mapping(row, "rows") for row in record.rows]
    return judge_target(
        [text(row.get("label"), "rows.label") for row in rows if row.get("member") is True],
        **accuracies,
    )


def _undefended(
    record: Record, members: NDArray[np.bool_], own: dict[str, Values]
) -> Undefended | None:
    """The control of a federation's Record; without numbers where none was played."""
    if "secure_aggregation" not in record.scenario:
        return None
    found = mapping(record.summary.get("control", {}), "summary.control")
    told, beside = _areas(found.get("auc"), []), found.get("beside") is True
    scores = _scores(record, members, CONTROL) if beside else own
    samples = {k: detection.sample(v, members) for k, v in scores.items() if k in told}
    return Undefended(samples, told, beside, len(told))


def _areas(auc: Any, attacks: list[str]) -> dict[str, Estimate]:
    """AUC of the summary: one summary, one number, or either by attack."""
    if auc is None:
        return {}
    if isinstance(auc, dict) and "mean" not in auc:
        return {str(name): _estimate(value) for name, value in auc.items()}
    found = _estimate(auc)
    if len(attacks) > 1:  # it does not say which one it is about
        return {}
    return {attacks[0] if attacks else "attack": found}


def _estimate(value: Any) -> Estimate:
    if not isinstance(value, dict):
        return Estimate(share(value, "summary.auc"))
    found = estimate(value, "summary.auc")
    share(found.mean, "summary.auc.mean")
    return found
