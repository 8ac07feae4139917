"""DP-Newton: Newton's method on one-vs-rest logistic losses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses import option
from victims.transfer.contract import Method, Problem, registry
from victims.transfer.mechanism import Mechanism
from victims.transfer.spectrum import Spectrum, ridge
from victims.transfer.sums import gramian, outer_sum


@registry.register("dp-newton")
@dataclass(frozen=True)
class Newton(Method):
    """Newton steps from 0 on L logistic losses (Mehta et al. 2023, Algorithm 2).

    Sensitivities, of rows with norm at most 1 under add/remove. At W = 0 every class has the same
    Hessian, a quarter of the Gramian, so it is released once: 1/4; the gradient's rows are
    (1/2 - y_c) x: sqrt(L)/2 together. At later steps the L Hessians p (1 - p) x x^T are at most
    sqrt(L)/4 together, and the gradient sqrt(L), which are the paper's numbers for every step.
    """

    source = "Mehta et al. 2023, Algorithm 2"
    squares = True

    steps: int = option(1, "Newton steps", low=1)
    lr: float = option(1.0, "share of a Newton step that is taken", low=0, open_low=True)
    strength: float = option(
        0.2, "ridge, as a share of the spectral radius of the Hessian's noise", low=0
    )

    def releases(self) -> int:
        """Hessians and gradients of every step."""
        return 2 * self.steps

    def fit(self, problem: Problem, mechanism: Mechanism) -> Tensor:
        """See `Method.fit`."""
        x, y, root = problem.features, problem.targets, math.sqrt(problem.classes)
        head = torch.zeros(problem.classes, problem.dim, dtype=torch.float64)
        for step in range(self.steps):
            # Of a head so large that an example's logit is NaN: any chance is as good.
            chances = torch.sigmoid(x @ head.to(x).T).nan_to_num()
            gradient = outer_sum(chances - y, x)
            if step == 0:
                bent, slope = 0.25, root / 2
                hessians = mechanism.release_symmetric(problem.gramian / 4, bent, "hessian", step)[
                    None
                ]
            else:
                bent, slope = root / 4, root
                each = [gramian(x, p * (1 - p)) for p in chances.T]
                hessians = mechanism.release_symmetric(torch.stack(each), bent, "hessian", step)
            noisy = mechanism.release(gradient, slope, "gradient", step)
            extra = ridge(self.strength, mechanism.std(bent), problem.dim)
            spectra = [Spectrum.of(one) for one in hessians]
            if len(spectra) == 1:
                head = head - self.lr * spectra[0].solve(extra, noisy)
            else:
                rows = [s.solve(extra, g[None]) for s, g in zip(spectra, noisy, strict=True)]
                head = head - self.lr * torch.cat(rows)
        return head
