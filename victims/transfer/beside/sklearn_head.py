"""Regressions of scikit-learn on the same features: what can be had without any privacy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from victims.transfer.prepare import Prepared


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=100.0, max_iter=200)


def _ridge() -> Any:
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=1.0)


SKLEARN: dict[str, Callable[[], Any]] = {
    "scikit-learn LogisticRegression, C 100 (not private)": _logistic,
    "scikit-learn RidgeClassifier, alpha 1 (not private)": _ridge,
}
"""Name -> what makes it. Rows have norm 1, so that the usual C of 1 holds logistic weights down."""


def sklearn_labels(prepared: Prepared, epsilon: float, seed: int, *, name: str) -> Tensor:
    """The labels (M,) of the tests by one of `SKLEARN`, whatever the epsilon and the seed."""
    problem = prepared.problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        model = SKLEARN[name]().fit(problem.features.numpy(), problem.labels.numpy())
    return torch.from_numpy(model.predict(prepared.tests.numpy()))
