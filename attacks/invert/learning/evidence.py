"""The label of one example by the evidence of each, learned from images of one's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.learning.lessons import RIDGE_FEW, labelled_gradients
from attacks.invert.learning.view import View
from attacks.invert.matching.clock import Clock
from defenses import Release, stream

IMAGES = 640
"""Gradients of own images, all labels together; at least `EACH` for each."""
EACH = 16


def log_evidence(
    model: nn.Module, loss: Loss, release: Release, threat: Threat, clock: Clock
) -> Tensor:
    """(classes,) float64, log p(release | label) up to a constant; 0 where nothing is visible.

    Under every label the same own images are defended as the victim's was; what the release shows
    of them is taken for a Gaussian (`Regression.log_evidence`), noise included.

    Args:
        model: the victim.
        loss: the victim's.
        release: of one example.
        threat: whose adversary asks; the first of its auxiliary images serve.
        clock: of all that this adversary does.

    Raises:
        TimeIsUp: the clock ended it.
    """
    count = max(EACH, IMAGES // threat.classes)
    images = threat.auxiliary_images[:count].to(next(model.parameters()).device)
    view, found = View.of(release, threat), []
    if len(view.index) == 0:
        return torch.zeros(threat.classes, dtype=torch.float64)
    for label in range(threat.classes):
        # The same draws under each label: only the label differs.
        draw = stream(0, "evidence")
        chunks = clock.watch(labelled_gradients(model, loss, images, label))
        shown = view.show_all(chunks, len(images), draw)
        found.append(view.regress(shown, RIDGE_FEW).log_evidence(view.observed))
    return torch.tensor(found, dtype=torch.float64)
