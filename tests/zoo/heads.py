"""Documented ways to get private heads wrong, planted in a method or in its mechanism."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

import victims.transfer
from defenses.secrecy import normal
from victims.training.streams import Repeatable
from victims.transfer import Gaussian, Method
from victims.transfer.conformance import honest
from victims.transfer.conformance.checks import NOISE, Make
from victims.transfer.mechanism import Sum, computed
from victims.transfer.methods.dp_fc import FeatureCovariance

BATCH = 16
"""Examples of a batch where the released code has 1,024."""


@dataclass(frozen=True)
class HeadSpecimen:
    """A way to get private heads wrong that somebody got wrong, behind a correct claim.

    Attributes:
        name: what went wrong, in a few words.
        source: where it is documented.
        check: of `victims.transfer.conformance`, which catches it.
        kind: the class that has the bug, a `Method` or a `Gaussian` mechanism.
        method: that is fitted.
    """

    name: str
    source: str
    check: str
    kind: type[Method] | type[Gaussian]
    method: Method = field(default_factory=lambda: victims.transfer.get("dp-fc", steps=3))

    def __str__(self) -> str:
        return self.kind.__name__

    @property
    def make(self) -> Make:
        """What makes the mechanism, planted or honest."""
        kind: Callable[[float, Repeatable], Gaussian] = self.kind  # type: ignore[assignment]
        return (lambda draw: kind(NOISE, draw)) if issubclass(self.kind, Gaussian) else honest


class Instead(Gaussian):
    """A mechanism that keeps its account and releases something else."""

    def put(self, value: Tensor) -> Tensor:
        """Put a value in the place of the last release."""
        if self.keep:
            self.seen[-1] = dataclasses.replace(self.seen[-1], value=value)
        return value


class NoiseSharedByClasses(Instead):
    """Every class's gradient gets the same noise, anew at every step.

    github.com/google-research/google-research, dp_transfer (Mehta et al. 2023, arXiv 2211.13403):
    the key is an attribute that the function mapped over classes closes over, as we read it.
    """

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = computed(value)
        super().release(value, sensitivity, *name)
        noise = normal(value[0].shape, torch.float64, self.draw("noise", *name))
        return self.put(value.double() + self.std(sensitivity) * noise)


class NoiseSharedBySteps(Instead):
    """Every step's gradients get the noise of the first, another for each class.

    The same dp_transfer (arXiv 2211.13403): ``refresh_key`` changes the attribute between steps,
    but the compiled update has the first key in it, as we read it.
    """

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = computed(value)
        super().release(value, sensitivity, *name)
        noise = normal(value.shape, torch.float64, self.draw("noise", name[0]))
        return self.put(value.double() + self.std(sensitivity) * noise)


class NoiseSharedByAll(Instead):
    """One noise for every class and every step: both at once, as dp_transfer (arXiv 2211.13403)."""

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = computed(value)
        super().release(value, sensitivity, *name)
        noise = normal(value[0].shape, torch.float64, self.draw("noise", name[0]))
        return self.put(value.double() + self.std(sensitivity) * noise)


class CountedTwice(FeatureCovariance):
    """The covariance is summed over whole batches of a stream that starts again at its end.

    dp_transfer (arXiv 2211.13403), as we read it: n // 1,024 + 1 batches of 50,000 examples are
    50,176, so the first 176 count twice and move the covariance by twice its sensitivity.
    """

    def fit(self, problem, mechanism):
        count = len(problem.features)
        stream = torch.arange((count // BATCH + 1) * BATCH) % count

        class Repeating:
            release, std = mechanism.release, mechanism.std

            def release_symmetric(self, value, sensitivity, *name):
                rows = problem.features[stream].double()
                return mechanism.release_symmetric(rows.T @ rows, sensitivity, *name)

        return super().fit(problem, Repeating())


class MoreUpdates(FeatureCovariance):
    """More updates than the epochs that are accounted for.

    dp_transfer (arXiv 2211.13403), as we read it: an epoch reads n // 1,024 + 1 batches, and an
    update comes every n // 1,024 of them: 102 updates of 50,000 examples in 100 epochs.
    """

    def releases(self):
        return 1 + self.steps

    def fit(self, problem, mechanism):
        batches = problem.size // BATCH
        updates = self.steps * (batches + 1) // batches
        return FeatureCovariance(steps=updates).fit(problem, mechanism)


class ZeroedIfNeverAccepted(Instead):
    """Of the accepted numbers some get noise and others leave raw; only the rest is zeroed.

    NVFlare's svt_privacy.py at commit 01180f35, as we read it: numbers above a noisy threshold are
    accepted, some of them drawn, with replacement, for noise and clipping; only who was never
    accepted is set to 0. Accepted numbers that were not drawn leave as they are.
    """

    def release(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = computed(value)
        noisy = super().release(value, sensitivity, *name).flatten()
        raw, draw = value.double().flatten(), self.draw("accepted", *name)
        blurred = raw.abs() + self.std(sensitivity) * normal(raw.shape, torch.float64, draw)
        accepted = blurred.topk(len(raw) // 2).indices
        drawn = accepted[torch.randint(len(accepted), accepted.shape, generator=draw)]
        left = torch.zeros_like(raw)
        left[accepted] = raw[accepted]
        left[drawn] = noisy[drawn]
        return self.put(left.view(value.shape))


class LowerBoundTwice(Instead):
    """The diagonal's noise follows the lower bound of a feature alone: none where that is 0.

    github.com/IBM/differential-privacy-library issue 105, linear_regression.py: "the range to be
    (0, 100), then the sensitivity is 0". Rows here have entries in [0, 1].
    """

    def release_symmetric(self, value: Sum, sensitivity: float, *name: object) -> Tensor:
        value = computed(value)
        noisy = super().release_symmetric(value, sensitivity, *name).clone()
        noisy.diagonal(dim1=-2, dim2=-1).copy_(value.double().diagonal(dim1=-2, dim2=-1))
        return self.put(noisy)


RELEASED = "google-research dp_transfer (arXiv 2211.13403)"
HEADS = [
    HeadSpecimen("one noise for all classes of a head", RELEASED, "noise", NoiseSharedByClasses),
    HeadSpecimen("one noise for all steps of a head", RELEASED, "noise", NoiseSharedBySteps),
    HeadSpecimen("one noise for all classes and steps", RELEASED, "noise", NoiseSharedByAll),
    HeadSpecimen(
        "176 examples counted twice", RELEASED, "sensitivity", CountedTwice, CountedTwice(steps=2)
    ),
    HeadSpecimen(
        "102 updates accounted as 100", RELEASED, "account", MoreUpdates, MoreUpdates(steps=2)
    ),
    HeadSpecimen(
        "zeroed only where never accepted",
        "NVFlare svt_privacy.py at commit 01180f35",
        "noise",
        ZeroedIfNeverAccepted,
    ),
    HeadSpecimen(
        "lower bound of an interval used twice",
        "IBM differential-privacy-library issue 105",
        "noise",
        LowerBoundTwice,
        victims.transfer.get("dp-ls"),
    ),
]
