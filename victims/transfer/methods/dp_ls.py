"""DP-LS: least squares from noisy second moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem, registry
from victims.transfer.mechanism import Mechanism
from victims.transfer.spectrum import Spectrum, ridge
from victims.transfer.sums import gramian, outer_sum


@registry.register("dp-ls")
@dataclass(frozen=True)
class LeastSquares(Method):
    """Least squares, once: w_c = (G + ridge I)^-1 b_c (Mehta et al. 2023, Algorithm 1).

    G is the sum of x x^T over all examples and b_c that of x over class c. As in the paper,
    ``per_class`` also releases A_c, the Gramian of class c alone, and solves
    (A_c + weight G + ridge I) w_c = b_c.

    Sensitivities, of rows with norm at most 1 under add/remove: G moves by one x x^T, of Frobenius
    norm 1; the A_c together by one of them, in one class, so by 1; the b_c together by one x, so
    by 1. An example with several labels would move the last two by the root of their number.
    """

    source = "Mehta et al. 2023, Algorithm 1"
    squares = True

    strength: float = option(
        0.2, "ridge, as a share of the spectral radius of the Gramian's noise", low=0
    )
    per_class: bool = option(False, "release each class's own Gramian too, as in the paper")
    weight: float = option(1.0, "of the shared Gramian beside a class's own", low=0)

    def releases(self) -> int:
        """The Gramian and the sums; with ``per_class`` the classes' Gramians, which count once."""
        return 3 if self.per_class else 2

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        x, y = problem.features, problem.targets
        shared = Spectrum.of(mechanism.release_symmetric(problem.gramian, 1.0, "gramian"))
        sums = mechanism.release(outer_sum(y, x), 1.0, "class sums")
        extra = ridge(self.strength, mechanism.std(1.0), problem.dim)
        if not self.per_class:
            return shared.solve(extra, sums)
        own = torch.stack([gramian(x[problem.labels == c]) for c in range(problem.classes)])
        classes = mechanism.release_symmetric(own, 1.0, "class gramians")
        whole = self.weight * shared.matrix() + extra * torch.eye(problem.dim, dtype=torch.float64)
        heads = [
            torch.linalg.solve(Spectrum.of(one).matrix() + whole, b)
            for one, b in zip(classes, sums, strict=True)
        ]
        return torch.stack(heads)
