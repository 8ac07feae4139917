"""The input of a convolution from its weight's gradient alone, where it has fewer places than
channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from attacks.invert.peeling.geometry import Geometry

RANK = 1e-6
"""Singular values below this share of the largest are float32's noise."""
TOLERANCE = 1e-11
"""Of the eigenvalues: what was passed on is told through the smallest singular values, too."""
STEPS = 10_000
"""Of Lanczos, at most."""
FIXED = 1e-4
"""An eigenvalue counts as 1 when it is this close."""


@dataclass(frozen=True)
class Opened:
    """A convolution whose slope was known but for which entries were passed on.

    Attributes:
        features: (B, I, H, W) what it was fed.
        chosen: (B, O, h, w) share of the slope that each output has: 1 or the leak.
        residual: of the weight's gradient, relative; 1 where nothing was found.
        reason: why nothing was found, in a few words.
    """

    features: Tensor
    chosen: Tensor
    residual: float
    reason: str = ""


TopStep = Callable[[Tensor, Tensor | None, Tensor, Geometry, float], Opened]
"""(gradient (O, I, k, k), visible mask or None, slope if all entries are passed on (B, O, h, w),
geometry, leak) -> Opened."""


def row_space(gradient: Tensor, most: int) -> Tensor:
    """(r, I * taps) orthonormal rows that span a gradient's rows, at most so many.

    dW = S U(x) for the (Q, I * taps) patches U(x) and any slope S: rows are sums of patches.
    """
    matrix = gradient.flatten(1)
    power, sums = torch.linalg.eigh(matrix @ matrix.T)
    rank = min(most, int((power > RANK**2 * power[-1]).sum()))
    found: Tensor = torch.linalg.qr((sums[:, -rank:].T @ matrix).T)[0].T
    return found


def fixed_points(
    rows: Tensor, active: Tensor, geometry: Geometry, number: int, *, alone: bool = False
) -> Tensor | None:
    """Arrays all of whose active patches lie in a row space: the inputs of the layer, up to mixing.

    Patches that overlap make a projection of each onto the space and averaging where they overlap
    a map with eigenvalue 1 for these arrays and below it for all others; Lanczos finds them.

    Args:
        rows: (r, I * taps) orthonormal.
        active: (Q,) bool, outputs whose patches are in the space.
        geometry: of the convolution.
        number: how many to find.
        alone: whether to make sure that there are no more.

    Returns:
        (number, I, H, W), orthonormal in the norm that counts a place as often as it is seen; None
        where there are fewer, or more of them if ``alone``.
    """
    channels = rows.shape[1] // geometry.taps
    shape = (1, channels, *geometry.size)
    mask = active.to(rows)[None, :, None]
    ones = torch.ones(1, 1, *geometry.size, dtype=rows.dtype, device=rows.device)
    seen = geometry.fold(geometry.unfold(ones) * mask)
    if not bool((seen > 0).all()):
        return None
    weight = seen.sqrt()

    def project(flat: np.ndarray) -> np.ndarray:
        array = torch.from_numpy(np.ascontiguousarray(flat)).to(rows).reshape(shape)
        patches = geometry.unfold(array / weight)[:, active]
        back = rows.new_zeros(1, len(active), rows.shape[1])
        back[:, active] = (patches @ rows.T) @ rows
        return (geometry.fold(back) / weight).cpu().numpy().ravel()

    draw = torch.Generator().manual_seed(0)
    found: list[np.ndarray] = []
    # One at a time: Lanczos sees only one direction of an eigenspace.
    for turn in range(number + alone):
        start = (weight * (0.5 + torch.rand(shape, generator=draw).to(weight))).cpu().numpy()
        value, vector = _largest(project, found, start.ravel())
        if (value > 1 - FIXED) != (turn < number):
            return None
        found.append(vector)
    del found[number:]
    arrays = torch.from_numpy(np.stack(found)).to(rows)
    return arrays.reshape(number, *shape[1:]) / weight


def _largest(
    project: Callable[[np.ndarray], np.ndarray], found: list[np.ndarray], start: np.ndarray
) -> tuple[float, np.ndarray]:
    """The largest eigenvalue of a symmetric map apart from some eigenvectors, and its vector."""

    def rest(flat: np.ndarray) -> np.ndarray:
        for vector in found:
            flat = flat - vector * (vector @ flat)
        flat = project(flat)
        for vector in found:
            flat = flat - vector * (vector @ flat)
        return flat

    size = len(start)
    operator = LinearOperator((size, size), matvec=rest, dtype=np.float64)
    width = min(size, 24)
    try:
        values, vectors = eigsh(
            operator, k=1, which="LA", ncv=width, tol=TOLERANCE, maxiter=STEPS // width, v0=start
        )
    except ArpackNoConvergence:
        return 0.0, start
    return float(values[0]), vectors[:, 0]


def blind_top(
    gradient: Tensor, visible: Tensor | None, slope: Tensor, geometry: Geometry, leak: float = 0.0
) -> Opened:
    """The input of a convolution, and which of its outputs were passed on.

    See `fixed_points`; the scale and the choice follow from S = dW pinv(U(x)), whose entries are
    the slope or the leak's share of it.

    Args:
        gradient: (O, I, k, k) of the weight, float64.
        visible: (O, I, k, k) bool, the coordinates that were released: the row space of a masked
            gradient says nothing. None: all were.
        slope: (B, O, h, w) that each output would have if it were passed on; of one example.
        geometry: of the convolution.
        leak: share of the slope that the others have.
    """

    def nothing(reason: str) -> Opened:
        shape = (len(slope), gradient.shape[1], *geometry.size)
        return Opened(gradient.new_zeros(shape), slope * 0, 1.0, reason)

    if len(slope) > 1:  # see `take_apart`
        return nothing("which entries are passed on above it could not be told")
    active = (slope[0] != 0).any(0).flatten()
    places, channels = int(active.sum()), len(gradient)
    if visible is not None and not bool(visible.all()):
        return nothing("its gradient is masked")
    if geometry.taps == 1 or not 0 < places <= channels:
        return nothing(f"{channels} channels do not tell {places} places apart")
    rows = row_space(gradient, places)
    found = fixed_points(rows, active, geometry, 1)
    if found is None:
        return nothing(f"its gradient's {len(rows)} dimensions do not show {places} places")
    patches = geometry.unfold(found)[0, active]
    target = gradient.flatten(1)
    shares = torch.linalg.lstsq(patches.T, target.T).solution.T
    wanted = slope[0].flatten(1)[:, active]
    scale = common_scale(shares, wanted)
    if scale == 0:
        return nothing("its scale could not be told")
    ratio = shares / (scale * torch.where(wanted != 0, wanted, 1.0))
    chosen = torch.where(ratio > (1 + leak) / 2, 1.0, leak).to(gradient) * (wanted != 0)
    explained = scale * (wanted * chosen) @ patches
    residual = float((explained - target).norm() / target.norm())
    reason = f"{residual:.1e} of its gradient is left unexplained"
    spread = torch.zeros_like(slope).flatten(2)
    spread[0, :, active] = chosen
    return Opened(found * scale, spread.reshape(slope.shape), residual, reason)


def common_scale(shares: Tensor, wanted: Tensor) -> float:
    """By what factor shares are the wanted slopes, where they are not 0; 0 if nothing says it."""
    size = wanted.abs()
    large = size >= size[size > 0].median() if bool((size > 0).any()) else size > 0
    ratio = (shares / torch.where(wanted != 0, wanted, 1.0))[large]
    if not ratio.numel() or not bool(torch.isfinite(ratio).all()):
        return 0.0
    high = ratio.abs() > 0.5 * torch.quantile(ratio.abs()[:1_000_000], 0.995)
    return float(ratio[high].median()) if bool(high.any()) else 0.0
