"""How close an unbiased estimate of the image can come, by Fisher information (Guo et al. 2022)."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock, TimeIsUp
from attacks.invert.matching.objective import Residual, residual
from defenses import Release
from defenses.chains.chain import Chain

PROBES = 8
"""Random directions in which the trace is estimated."""
CAP_DB = 60.0
"""The PSNR at which scores are capped."""


def fisher_psnr(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    images: Tensor,
    labels: Tensor,
    *,
    probes: int = PROBES,
    generator: torch.Generator,
    clock: Clock | None = None,
) -> float | None:
    """The PSNR, in dB and at most `CAP_DB`, that no *unbiased* estimator of the image exceeds.

    With J the Jacobian of replay(G(x)) in the d pixels at the private image, defense, mask and
    label known, and noise of std s, the expected squared error is at least
    d^2 / Tr(J^T J / s^2): Cramer-Rao (Guo et al. 2022, Theorem 1) and the means of eigenvalues.
    The PSNR is of the *expected* error per pixel. Attacks with a prior are biased and may beat it.

    Args:
        model: the victim; networks of ReLUs count as smooth around the image.
        loss: the victim's.
        release: of a batch of one example.
        threat: ``defense`` and ``batch_size`` are used.
        images: (1, C, H, W), the private one.
        labels: (1,) int64.
        probes: directions for Hutchinson's estimate of the trace, >= 1.
        generator: CPU generator of these directions.
        clock: ends it; None: nothing does.

    Returns:
        None without noise, for a batch of more than one, where the replay has no slope, where
        statistics are sent that have no noise, for `rgp` with a rate and chains, whose noise is
        not white on the coordinates it reaches, and where the clock ended it.
    """
    std = float(release.public.get("noise_std", 0.0))
    chained = isinstance(threat.defense, Chain)
    if threat.batch_size != 1 or std <= 0 or "carrier_mask" in release.public or chained:
        return None
    if release.statistics:
        return None
    known = dataclasses.replace(threat, adaptive=True)
    compare = residual(model, loss, release, known, labels, dtype=torch.float32)
    try:
        total = jacobian_trace(
            compare, images.float(), probes=probes, generator=generator, clock=clock
        )
    except TimeIsUp:
        return None
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError:  # autograd has no (second) derivative of something on the way
        return None
    if not 0 < total < math.inf:
        return None
    error = images.numel() * std**2 / total
    return min(CAP_DB, -10 * math.log10(error))


def jacobian_trace(
    compare: Residual,
    images: Tensor,
    *,
    probes: int,
    generator: torch.Generator,
    clock: Clock | None = None,
) -> float:
    """Tr(J^T J) of what ``compare`` explains, as the mean of |J^T v|^2 over v in {-1, 1}^P.

    Unbiased (Hutchinson 1990). Each probe is one backward pass through the gradient's graph.

    Raises:
        RuntimeError: not differentiable in the images.
        TimeIsUp: the clock came first.
    """
    images = images.detach().clone().requires_grad_()
    explained, _ = compare(images)
    total = 0.0
    for _ in (clock or Clock()).watch(range(probes)):
        sign = torch.randint(2, explained.shape, generator=generator) * 2 - 1
        (slope,) = torch.autograd.grad(
            explained, images, sign.to(explained), retain_graph=True, materialize_grads=True
        )
        total += float(slope.double().square().sum())
    return total / probes
