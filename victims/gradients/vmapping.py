"""Per-example gradients by vmap(grad), at weights that are handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.func import grad, vmap

from defenses import preprocessing
from defenses.outer import Outer
from defenses.precision import full_precision
from victims.gradients.logits_at import logits_at
from victims.gradients.taps import tap
from victims.gradients.wide_convolutions import WideConvolutions

Loss = Callable[[Tensor, Tensor], Tensor]
"""(logits (B, C), labels (B,)) -> scalar mean over the batch, e.g. cross_entropy."""


@full_precision()
def gradients_at(
    model: nn.Module,
    loss: Loss,
    weights: dict[str, Tensor],
    fixed: dict[str, Tensor],
    views: Tensor,
    labels: Tensor,
    outer: Sequence[str] = (),
) -> dict[str, Tensor | Outer]:
    """Per-example gradients at weights that are handed over, so that a vmap over models may be.

    Args:
        model: the model whose forward pass is differentiated.
        loss: see `per_example_gradients`.
        weights: the tensors to differentiate by, as `trainable_parameters` names them.
        fixed: all other tensors, as `frozen_parameters` names them.
        views: (B, K, ...), K views of each example; B >= 1.
        labels: (B,).
        outer: see `gradient_chunks`.
    """
    layers = [f"{n}.weight" for n in outer]
    still = fixed | {k: weights[k] for k in layers}
    free = {k: p for k, p in weights.items() if k not in layers}
    extra = {n: weights[f"{n}.weight"].new_zeros(len(weights[f"{n}.weight"])) for n in outer}

    def example_loss(
        free: dict[str, Tensor], extra: dict[str, Tensor], views: Tensor, label: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        with WideConvolutions(), tap(model, outer, extra) as inputs:
            logits = logits_at(model, {**free, **still}, views)
        return loss(logits, label.expand(len(views))) + preprocessing.take_penalty(model), inputs

    slopes = grad(example_loss, argnums=(0, 1), has_aux=True)
    per_example = vmap(slopes, in_dims=(None, None, 0, 0), randomness="different")
    (grads, slope), inputs = per_example(free, extra, views, labels)
    grads |= {f"{n}.weight": Outer(slope[n], inputs[n]) for n in outer}
    return {k: grads[k] for k in weights}
