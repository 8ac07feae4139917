"""Shokri's classifier of model outputs, trained on the shadow models' members and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.membership.contract import Evidence, Membership, registry
from attacks.membership.evidence_checks import require_shadows
from attacks.membership.signals import logits as signals
from defenses import BadInput
from defenses.options import option

Matrix = NDArray[np.float64]
LARGEST = 10
"""How many of the sorted log-probabilities are features."""


@registry.register("shokri")
@dataclass(frozen=True)
class Shokri(Membership):
    """Shadow-model classifier (Shokri et al. 2017).

    Every pair of a shadow and an example is a row: what `features` says of the output, and
    whether the example was in. A logistic regression (the paper: a small network) learns from
    them and then reads the target's outputs; the score is its log-odds of "in". As in the paper
    each class has its own classifier, where it has at least ``per_class`` rows in and as many
    out; the other classes share one trained on all rows. Needs a shadow in and one out for some
    examples, not for each.
    """

    per_class: int = option(200, "rows in and out that a class takes to have its own", low=1)

    def scores(self, evidence: Evidence) -> Tensor:
        """See `Membership.scores`."""
        members = evidence.members
        require_shadows("shokri", members)
        if bool(members.all()) or not bool(members.any()):
            word = "in" if bool(members.any()) else "out of"
            raise BadInput(f"shokri learns from both; every example is {word} every shadow model")
        labels = evidence.labels.cpu().numpy()
        target = features(evidence.target, evidence.labels)
        rows = np.stack([features(logits, evidence.labels) for logits in evidence.shadows])
        inside = members.cpu().numpy()
        scores = np.empty(len(labels))
        shared = None
        for label in np.unique(labels):
            of_class = labels == label
            x, y = _flat(rows[:, of_class], inside[:, of_class])
            if min(int(y.sum()), int((~y).sum())) >= self.per_class:
                classifier = _fit(x, y)
            else:
                shared = shared or _fit(*_flat(rows, inside))
                classifier = shared
            scores[of_class] = classifier.decision_function(target[of_class])
        return torch.from_numpy(scores).to(evidence.labels.device)


def features(logits: Tensor, labels: Tensor) -> Matrix:
    """What the classifier sees of outputs (N, Q, C), mean over queries, (N, 4 + min(C, 10)).

    The loss, the log-odds of the label, the entropy, whether the prediction is right, and the
    largest log-probabilities in falling order.
    """
    logs = logits.double().log_softmax(-1).sort(dim=-1, descending=True).values[..., :LARGEST]
    facts = (
        -signals.log_likelihood(logits, labels),
        signals.log_odds(logits, labels),
        signals.entropy(logits),
        signals.correct(logits, labels),
    )
    columns = torch.cat([torch.stack(facts, -1), logs], -1).mean(1)
    table: Matrix = columns.cpu().numpy()
    return table


def _flat(rows: Matrix, inside: NDArray[np.bool_]) -> tuple[Matrix, NDArray[np.bool_]]:
    """(K, N, F) and (K, N) as (K N, F) and (K N,)."""
    return rows.reshape(-1, rows.shape[-1]), inside.reshape(-1)


def _fit(x: Matrix, y: NDArray[np.bool_]) -> Any:
    """Logistic regression on standardised features."""
    # On demand: scikit-learn takes a second to load.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, y)
