"""Gradient embedding perturbation (Yu, Zhang, Chen and Liu 2021, ICLR, arXiv 2102.12677)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from defenses.bases.sparsified import Sparsified
from defenses.checks import check_finite, count_examples
from defenses.contract import WIRE_BYTES_PER_VALUE, Gradients, Release, registry
from defenses.errors import BadInput
from defenses.gradients import add_noise, clipped_sum
from defenses.methods.dpsgd import DPSGD
from defenses.options import option
from defenses.outer import rows
from defenses.randomness import child


@registry.register("gep")
@dataclass(frozen=True)
class GEP(Sparsified, DPSGD):
    """Noise a gradient's few coordinates in a public subspace, and what it lacks, each by itself.

    Public gradients at the current weights span a subspace with orthonormal rows B. A private
    gradient g has the embedding w = B g, clipped to C, and the residual r = g - B^T B g, clipped
    to C', which is short where public and private data are alike. The update is
    (B^T (sum w + N(0, (sigma C)^2)) + sum r + N(0, (sigma C')^2)) / batch size. Section 3.1
    groups the parameters; here each tensor is a group with a B of its own, and clipping is over
    all of them together. With a ``rate``, gradients, public ones too, are masked first.

    Guarantee: that of the Gaussian mechanism with noise ``noise_multiplier / sqrt(2)``. B and the
    mask are fixed before the batch is seen. Scaled to (sum w / C, sum r / C'), the pair of sums
    has noise N(0, sigma^2) on each coordinate; one example adds (w / C, r / C'), two parts of
    norm at most 1, hence at most sqrt(2) together. The update is made from this pair.
    Nothing is guaranteed to the public examples.

    Known attack: neither part is hidden, so candidates are projected, clipped and matched alike;
    clipping the parts apart makes the residual's share *larger* than in the gradient.
    """

    wants: ClassVar[frozenset[str]] = frozenset({"anchors"})

    rate: float = option(0.0, "share of coordinates dropped", low=0, high=1, open_high=True)
    # The ratio of the authors' example, 5 to 2.
    residual_clip: float = option(0.4, "clipping norm of the residual", low=0, open_low=True)
    basis: int = option(64, "dimension of the public subspace, all parameters together", low=1)
    iterations: int = option(2, "power iterations from random directions", low=1)

    def plan(
        self, like: Mapping[str, Tensor], *, step: int, steps: int, generator: torch.Generator
    ) -> dict[str, Any]:
        """``basis``, name -> (k, parameter's size) orthonormal rows; with a rate, the mask.

        The k of a parameter is its share of ``basis`` by the square root of its size, rounded,
        at least 1 and at most the number of public examples, or of its kept coordinates.

        Raises:
            BadInput: no public gradients, unusable ones, or those of another model.
        """
        anchors = self.side.anchors
        if not anchors or not count_examples(anchors):
            raise BadInput("gep needs public data: --public, or informed(Side(anchors=...))")
        check_finite(anchors)
        if {k: v.shape for k, v in like.items()} != {k: g.shape[1:] for k, g in anchors.items()}:
            raise BadInput("gep's public gradients are not those of this model's parameters")
        plan = self.mask_at(like, step, steps, generator) if self.rate else {}
        draw = child(generator)
        total = sum(math.sqrt(v.numel()) for v in like.values())
        plan["basis"] = {}
        for name, value in like.items():
            size = max(1, round(self.basis * math.sqrt(value.numel()) / total))
            public = rows(anchors[name].detach().to(value))
            keep = torch.ones_like(public[0]).bool()
            if self.rate:
                keep = plan["mask"][name].flatten()
            # On kept coordinates alone: orthonormal there, and exactly zero on dropped ones.
            found = subspace(public[:, keep], size, self.iterations, draw)
            plan["basis"][name] = found.new_zeros(len(found), len(keep))
            plan["basis"][name][:, keep] = found
        return plan

    def contribute(self, grads: Gradients, plan: Mapping[str, Any]) -> dict[str, Tensor]:
        """The sum of both parts, each clipped, back in the parameters' shapes."""
        if "basis" not in plan:
            raise BadInput("this release does not say the basis that gep projected on")
        if plan.get("rate"):
            grads = {k: g * plan["mask"][k] for k, g in grads.items()}
        basis = {k: plan["basis"][k].to(g.dtype) for k, g in grads.items()}
        inside = {k: rows(g) @ basis[k].T for k, g in grads.items()}
        # Written out: a norm taken as |g|^2 - |w|^2 may round to less than what is then summed.
        beside = {k: g - (inside[k] @ basis[k]).view_as(g) for k, g in grads.items()}
        residual = clipped_sum(beside, self.residual_clip)
        embedding = clipped_sum(inside, self.clip)
        return {k: r + (embedding[k] @ basis[k].to(r)).view_as(r) for k, r in residual.items()}

    def finish(
        self,
        total: Mapping[str, Tensor],
        plan: Mapping[str, Any],
        *,
        batch_size: int,
        generator: torch.Generator,
    ) -> Release:
        """See `Summed.finish`; noise on the embedding first. Dropped coordinates stay zero."""
        quiet = {k: b.new_zeros(len(b)) for k, b in plan["basis"].items()}
        noise = add_noise(quiet, self.noise_multiplier * self.clip, generator)
        total = {k: v + (noise[k] @ plan["basis"][k]).view_as(v) for k, v in total.items()}
        noisy = super().finish(total, plan, batch_size=batch_size, generator=generator)
        if "mask" not in plan:
            return noisy
        update = {k: v * plan["mask"][k] for k, v in noisy.update.items()}
        kept = int(torch.stack([m.sum() for m in plan["mask"].values()]).sum())
        return Release(update, noisy.public, WIRE_BYTES_PER_VALUE * kept)

    def effective_noise(self) -> float:
        """Sigma over sqrt(2): one example may move both parts by their clipping norms."""
        return self.noise_multiplier / math.sqrt(2)

    def public(self, batch_size: int) -> dict[str, Any]:
        """Both clipping norms, the batch size and the *residual's* noise std per coordinate.

        Along the directions of the basis the std is larger, by sqrt(1 + (C / C')^2).
        """
        std = self.noise_multiplier * self.residual_clip / batch_size
        known = {"clip": self.clip, "residual_clip": self.residual_clip, "noise_std": std}
        return {"batch_size": batch_size, **known}


def subspace(rows: Tensor, size: int, iterations: int, generator: torch.Generator) -> Tensor:
    """(k, P) orthonormal rows near the principal directions of (M, P) rows, k <= size, M, P.

    Power iteration with QR. More directions than rows would be made of rounding errors.
    """
    shape = rows.shape[1], min(size, *rows.shape)
    # Only directions matter, and the square of a tiny gradient would underflow.
    rows = rows / rows.norm().clamp(min=torch.finfo(rows.dtype).tiny)
    found = torch.randn(shape, generator=generator, dtype=rows.dtype).to(rows.device)
    for _ in range(iterations):
        found = torch.linalg.qr(rows.T @ (rows @ found)).Q
    return found.T
