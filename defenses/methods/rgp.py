"""Reparametrised gradient perturbation (Yu, Zhang, Chen, Yin and Liu 2021, ICML, 2106.09352)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.sparsified import Sparsified
from defenses.bases.summed import average
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.errors import BadInput
from defenses.gradients import add_noise, clipped_sum
from defenses.methods.dpsgd import DPSGD
from defenses.options import option
from defenses.randomness import child


@registry.register("rgp")
@dataclass(frozen=True)
class RGP(Sparsified, DPSGD):
    """DP-SGD on the gradients of two thin factors of each weight matrix.

    A weight (out, rest) is written L R plus a constant, L (out, r) with orthonormal columns, R
    (r, rest) with orthonormal rows. Its gradient dW gives the carriers dL = dW R^T and
    dR = L^T dW by the chain rule, so no model is rewritten. All carriers of an example are
    clipped together to norm C, and with them the whole gradients of vectors and of weights that
    are no larger than their carriers; then summed and noised. The update is
    (dL R + L dR - L L^T dL R) / batch size: noise and clipping apart, all of dW that the columns
    of L or the rows of R reach (Section 3). With a ``rate``, carrier coordinates are dropped, for
    these are sent; the update is then not sparse.

    Guarantee: DP-SGD's with the same ``clip`` and ``noise_multiplier``. L and R come from weights
    that were released, hence are fixed before the batch is seen; one example moves the sum of the
    carriers by at most C, and the update is made from their noisy sum. The carriers themselves
    may be seen; the update lacks L^T dL only, which repeats dR R^T.

    Known attack: match the carriers of candidates, clipped alike. A linear layer's dR still has
    the input in its rows (Geiping et al. 2020, Proposition 3.1), times L^T of the error signal.
    """

    wants: ClassVar[frozenset[str]] = frozenset({"moved"})

    rate: float = option(0.0, "share of carrier coordinates dropped", low=0, high=1, open_high=True)
    rank: int = option(8, "columns of L and rows of R, r", low=1)
    iterations: int = option(1, "power iterations on the weights' course", low=1)

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """``left`` and ``right``, name -> L and R; with a rate ``carrier_mask``, as `carriers`."""
        draw = child(generator)
        course = self.side.moved or {}
        left, right = {}, {}
        for name, value in like.items():
            if value.ndim < 2 or self.rank * (len(value) + value[0].numel()) >= value.numel():
                continue
            moved = course.get(name, torch.zeros_like(value)).detach().to(value).flatten(1)
            left[name], right[name] = factors(moved, self.rank, self.iterations, draw)
        plan: dict[str, Any] = {"left": left, "right": right}
        if not self.rate:
            return plan
        known = self.mask_at(_zero_carriers(like, plan), step, steps, generator)
        # Not "mask": that one is over the update's own coordinates, all of which this one fills.
        return plan | {"carrier_mask": known["mask"], "rate": known["rate"]}

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of the masked and clipped carriers, as an update of the parameters' shapes."""
        if "left" not in plan:
            raise BadInput("this release does not say the factors that rgp projected on")
        shapes = {k: g.shape[1:] for k, g in grads.items()}
        return lift(clipped_sum(_apply_mask(carriers(grads, plan), plan), self.clip), shapes, plan)

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """Divided, plus noise that is drawn on the kept carriers; these are what travels.

        The public ``noise_std`` is a *carrier's*, over the batch size. Without a mask the update
        has it along every direction that it can take and no noise along others, so that a
        Gaussian likelihood of the whole update is right, while single coordinates have less.
        A mask only takes noise away.
        """
        public = self.public(batch_size) | dict(plan)
        quiet = _zero_carriers(total, plan)
        noise = _apply_mask(add_noise(quiet, public["noise_std"], generator), plan)
        lifted = lift(noise, {k: v.shape for k, v in total.items()}, plan)
        update = {k: v + lifted[k] for k, v in average(total, batch_size).items()}
        mask = plan.get("carrier_mask", {})
        sent = sum(int(mask[k].sum()) if k in mask else c.numel() for k, c in quiet.items())
        return Release(update, public, WIRE_BYTES_PER_VALUE * sent)


def carriers(grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
    """What RGP sends of each example, name -> (B, ...).

    ``<name>.left`` is dL (B, out, r) and ``<name>.right`` dR (B, r, rest), for the gradient of
    L R + constant; a parameter that is not factored keeps its name and gradient.
    """
    sent = {}
    for name, grad in grads.items():
        if name in plan["left"]:
            matrix = grad.flatten(2)
            sent[f"{name}.left"] = matrix @ plan["right"][name].to(grad.dtype).T
            sent[f"{name}.right"] = plan["left"][name].to(grad.dtype).T @ matrix
        else:
            sent[name] = grad
    return sent


def lift(
    sent: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], plan: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The update, name -> tensor of the parameter's shape, that carriers (no batch) stand for.

    dL R + L dR - L L^T dL R, which never is longer than the carriers.
    """
    update = {}
    for name, shape in shapes.items():
        if name in plan["left"]:
            tall, wide = sent[f"{name}.left"], sent[f"{name}.right"]
            left, right = (plan[side][name].to(tall.dtype) for side in ("left", "right"))
            tall = tall - left @ (left.T @ tall)
            update[name] = (tall @ right + left @ wide).reshape(shape)
        else:
            update[name] = sent[name]
    return update


def factors(
    moved: Tensor, rank: int, iterations: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """L (out, r) and R (r, rest), orthonormal, near the principal directions of (out, rest) moved.

    Random where nothing has moved yet. Power iteration starts from random directions.
    """
    rows, columns = moved.shape
    left, right = (
        torch.randn(n, rank, generator=generator, dtype=moved.dtype).to(moved.device)
        for n in (rows, columns)
    )
    if not moved.any():
        return torch.linalg.qr(left).Q, torch.linalg.qr(right).Q.T
    for _ in range(iterations):
        left = torch.linalg.qr(moved @ right).Q
        right = torch.linalg.qr(moved.T @ left).Q
    return left, right.T


def _zero_carriers(like: Mapping[str, Tensor], plan: Mapping[str, Any]) -> dict[str, Tensor]:
    """Carriers of zero, without a batch."""
    zeros = {k: torch.zeros_like(v)[None] for k, v in like.items()}
    return {k: c[0] for k, c in carriers(zeros, plan).items()}


def _apply_mask(sent: dict[str, Tensor], plan: Mapping[str, Any]) -> dict[str, Tensor]:
    """Carriers, with a batch or without, zero where the plan drops them."""
    return {k: c * plan["carrier_mask"][k] for k, c in sent.items()} if plan.get("rate") else sent
