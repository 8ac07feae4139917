"""The signs and sizes that an example's slopes can have, label by label, behind one ReLU layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat

IMAGES = 256
"""Images of its own, at most, whose logits tell the signs."""
LARGER = 1.1
"""By what factor slopes may exceed those of the adversary's own images."""


@dataclass(frozen=True)
class Cone:
    """Where the slopes of one label's examples lie: each is 0, or between 0 and a bound.

    Attributes:
        rows: (k,) int64, the outputs of the layer whose sign is told.
        bound: (k,) float64, the largest slope of each of them, with its sign; all in one unit.
    """

    rows: Tensor
    bound: Tensor

    def misses(self, entries: Tensor) -> float:
        """The share, in [0, 1], of entries (m,), or of their negatives, that have the other sign.

        Whichever of the two has the smaller share counts: a direction has no sign. 1 where no sign
        is told: nothing speaks for the label.
        """
        if not len(self.rows):
            return 1.0
        along = entries[self.rows] * self.bound.sign()
        wrong = float(along.clamp(max=0).abs().sum() / along.abs().sum().clamp(min=1e-300))
        return min(wrong, 1 - wrong)


def cones_of_labels(model: nn.Module, loss: Loss, told: Tensor, threat: Threat) -> list[Cone]:
    """The cone of each label: the slopes of a layer's outputs that its examples can cause.

    Where one ReLU layer lies before the logits, the slope at an output that is on is a product of
    weights and of the logits' slopes, which hang on the label and little else as long as the
    network is unsure. An output counts where its sign is the same for all of the adversary's
    images.

    Args:
        model: the victim.
        loss: the victim's.
        told: (classes, m) as `attacks.invert.sparsity.one_layer.slopes_of_logits` gives them.
        threat: of its auxiliary images the first `IMAGES` are looked at.

    Returns:
        One for each label, whose rows may be none.
    """
    images = threat.auxiliary_images[:IMAGES].to(told.device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        logits = model(images)
    on = ~told.isnan().any(0)
    weights = told.nan_to_num()
    cones = []
    for label in range(len(told)):
        free = logits.detach().clone().requires_grad_(True)
        labels = torch.full((len(images),), label, device=told.device)
        (slopes,) = torch.autograd.grad(loss(free, labels) * len(images), [free])
        at_outputs = slopes.double() @ weights
        low, high = at_outputs.amin(0), at_outputs.amax(0)
        rows = (on & ((low > 0) | (high < 0))).nonzero()[:, 0]
        bound = torch.where(low > 0, high, low)[rows] * LARGER
        cones.append(Cone(rows, bound))
    return cones
