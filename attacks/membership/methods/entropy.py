"""One global threshold on how sure the target is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.signals import logits as signals
from defenses.options import option


@registry.register("entropy")
@dataclass(frozen=True)
class Entropy(Membership):
    """How sure the target is, mean over queries (Song and Mittal 2021).

    Needs the target's logits only. ``modified``: minus the modified entropy, which knows
    the label; ``entropy``: minus the plain entropy, which does not; ``confidence``: p_y;
    ``largest``: the largest probability (Salem et al. 2019); ``correctness``: whether the
    prediction is right (the gap attack of Yeom et al. 2018). The per-class thresholds of Song
    and Mittal are not part of it: the threshold is one for all classes.
    """

    kind: str = option("modified", "modified, entropy, confidence, largest or correctness")

    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "kind": ("modified", "entropy", "confidence", "largest", "correctness")
    }

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        logits, labels = evidence.target, evidence.labels
        if self.kind == "modified":
            scores = -signals.modified_entropy(logits, labels)
        elif self.kind == "entropy":
            scores = -signals.entropy(logits)
        elif self.kind == "confidence":
            scores = signals.log_likelihood(logits, labels).exp()
        elif self.kind == "largest":
            scores = logits.double().softmax(-1).amax(-1)
        else:
            scores = signals.correct(logits, labels)
        return scores.mean(-1)
