"""Per-example gradients of a whole chunk from one ordinary pass, which takes no weight gradient.

The pass is that of plain SGD, but that weights are constants: it carries the slopes of each
example's own loss down to every layer, whose per-example gradients they make together with what the
layer was fed (Goodfellow 2015). What clips forms of these what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from defenses.implicit import Implicit
from defenses.precision import full_precision
from victims.gradients.layer_rules import RULES
from victims.gradients.logits_at import logits_at
from victims.gradients.vmapping import Loss
from victims.gradients.watch import Watch


@full_precision()
def one_pass(
    model: nn.Module,
    loss: Loss,
    weights: Mapping[str, Tensor],
    fixed: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
) -> dict[str, Tensor | Implicit] | None:
    """The gradients of each example's own loss; None where a weight does what no rule covers.

    Every use of a weight is either met by a rule, which then holds its gradient, or is seen by
    torch's autograd, for to everything else it is a leaf that requires a gradient: where that is
    not nothing, or a rule meets a weight twice, there is no answer. So no part of a gradient is
    ever missing from a norm.

    Args:
        model: logits from images; its layers mix no examples, and draw the same for all of them.
        loss: see `victims.per_example_gradients`; of each example's logits by itself.
        weights: the tensors to differentiate by, as `trainable_parameters` names them.
        fixed: all other tensors, as `frozen_parameters` names them.
        images: (B, ...), one view of each example; B >= 1.
        labels: (B,).
    """
    leaves = {k: w.detach().requires_grad_() for k, w in weights.items()}
    watch = Watch(leaves, len(images), RULES)
    with torch.enable_grad():
        with watch:
            own = images.clone()  # or a layer writes there
            logits = logits_at(model, {**leaves, **fixed}, own)
        if len(logits) != len(images):
            return None
        total = torch.vmap(loss)(logits[:, None], labels[:, None]).sum()
        asked = [watch.anchor, *watch.spread.values(), *leaves.values()]
        slopes = torch.autograd.grad(total, asked, allow_unused=True)
    if any(slope is not None for slope in slopes[-len(leaves) :]) or watch.twice:
        return None
    spread = dict(zip(watch.spread, slopes[1:], strict=False))
    return watch.gradients(spread)
