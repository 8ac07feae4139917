"""Defines a membership attack: it takes Evidence, and returns a score per example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from attacks.membership.evidence_checks import check_evidence
from defenses import BadInput
from defenses.options import check_options
from defenses.registry import Registry


@dataclass(frozen=True, eq=False)
class Evidence:
    """Logits of the model under attack and of models that the adversary trained itself.

    Any of the logits may carry one more axis just before the classes, for Q queries per example
    (its augmented views): (N, Q, C) and (K, N, Q, C). Target and shadows carry it both or
    neither. The population may carry P queries, where P is 1 or Q. Whoever computes on the
    logits uses `target`, `shadows`, `population_target` and `population_shadows`, which always
    have that axis.

    Attributes:
        target_logits: (N, C) or (N, Q, C), the target's logits on the examples in question.
        labels: (N,) integers in [0, C), their true labels.
        shadow_logits: (K, N, C) or (K, N, Q, C), shadow models' logits on the same examples.
        shadow_members: (K, N) bool, whether shadow k was trained on example n.
        population_target_logits: (M, C) or (M, P, C), the target's logits on other examples of
            the same kind, on which neither the target nor any shadow was trained.
        population_shadow_logits: (K, M, C) or (K, M, P, C), the shadows' logits on those.
        population_labels: (M,) integers in [0, C), their true labels.

    Raises:
        BadInput: sizes do not match, NaN or infinite logits, labels outside [0, C); one line.
            What a single attack needs beyond this, `Membership.scores` checks.
    """

    target_logits: Tensor
    labels: Tensor
    shadow_logits: Tensor | None = None
    shadow_members: Tensor | None = None
    population_target_logits: Tensor | None = None
    population_shadow_logits: Tensor | None = None
    population_labels: Tensor | None = None

    def __post_init__(self) -> None:
        check_evidence(vars(self))

    @property
    def target(self) -> Tensor:
        """(N, Q, C), with Q = 1 where there is no axis of queries."""
        return with_queries(self.target_logits, 2)

    @property
    def shadows(self) -> Tensor:
        """(K, N, Q, C); K is 0 without shadow models."""
        if self.shadow_logits is None:
            return self.target.new_zeros(0, *self.target.shape)
        return with_queries(self.shadow_logits, 3)

    @property
    def members(self) -> Tensor:
        """(K, N) bool, `shadow_members`; K is 0 without shadow models."""
        if self.shadow_members is None:
            return self.labels.new_zeros(0, len(self.labels)).bool()
        return self.shadow_members.bool()

    @property
    def population_target(self) -> Tensor:
        """(M, P, C); M is 0 without a population."""
        if self.population_target_logits is None:
            return self.target[:0, :1]
        return with_queries(self.population_target_logits, 2)

    @property
    def population_shadows(self) -> Tensor:
        """(K, M, P, C); M is 0 without the shadows' logits on a population."""
        if self.population_shadow_logits is None:
            return self.shadows[:, :0, :1]
        return with_queries(self.population_shadow_logits, 3)


@dataclass(frozen=True)
class Membership(ABC):
    """Scores how likely examples were trained on; a frozen dataclass whose fields are flags."""

    name: ClassVar[str] = ""
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Option -> the words it may be."""

    def __post_init__(self) -> None:
        check_options(self)
        for option, allowed in self.choices.items():
            if getattr(self, option) not in allowed:
                said = getattr(self, option)
                raise BadInput(f"{option} is {said!r}; it must be one of {', '.join(allowed)}")

    @abstractmethod
    def scores(self, evidence: Evidence) -> Tensor:
        """One finite score per example, higher = more likely a member.

        Equal evidence gives equal scores: no attack draws at random.

        Returns:
            (N,) float64 on the evidence's device. The scale is the attack's own.

        Raises:
            BadInput: the evidence lacks what the attack needs; one line says what.
        """


registry: Registry[Membership] = Registry("membership attack", "leakgauge.memberships")


def with_queries(logits: Tensor, plain: int) -> Tensor:
    """Logits with an axis of queries before the classes, given their rank without one."""
    return logits.unsqueeze(-2) if logits.ndim == plain else logits
