"""Learned inversion in closed form: pixels regressed on the release, then the likeliest image."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry, require
from attacks.invert.learning.lessons import Asked, Lessons, lesson_key
from attacks.invert.learning.view import View
from attacks.invert.matching.clock import TimeIsUp
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.matching.settle import settle
from attacks.invert.matching.spectral import descend
from defenses import Release, preprocessing
from defenses.gradients import flat
from defenses.options import option

FEWEST = 32
"""Fewer images teach nothing."""
MEASURED, SIGNED = 1e-4, 1e-5
"""The noise level of the likeliest image, relative to the norm of a release without noise: where
coordinates are replayed, and where they only say whether a candidate agrees (train images)."""


@registry.register("lti")
@dataclass(frozen=True)
class Lti(Inversion):
    """Learning to invert (Wu et al. 2023) by linear regression, then the likeliest image.

    The adversary gives all of its images the label that it has found, defends each of them as the
    victim's is, and regresses pixels on what the release shows: at one label a gradient is nearly
    linear in the image. Under noise that is the Wiener filter. It is the start of a descent to
    the likeliest image, whose prior is the full covariance of these images, at one low noise
    level. What all releases of a defense have in common is learned once, in practice; under a
    mask of its own each release is learned from by itself. One example per batch.
    """

    learn: int = option(4000, "images of its own that the adversary learns from", low=FEWEST)
    iterations: int = option(100, "evaluations of the likeliest image; 0: none", low=0)
    lessons: Lessons | None = field(
        default=None, metadata={"hidden": True}, compare=False, repr=False
    )

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs a gradient, one example per batch and enough images to learn from."""
        if threat.local is not None:
            return "it takes a gradient, not a weight difference after local steps"
        if threat.batch_size != 1:
            return f"it takes one image per batch, not {threat.batch_size}"
        if len(threat.learning) < FEWEST:
            return f"it learns from at least {FEWEST} images, and has {len(threat.learning)}"
        return ""

    def learns_from(self) -> int:
        """See `Inversion.learns_from`."""
        return self.learn

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Lti:
        """Learn the map of every label, where all releases of the defense are seen alike."""
        if self.refusal(model, threat):
            return self
        clock, lessons = threat.clock(), self._lessons(model, threat)
        view = self.common_view(model, loss, threat, generator=generator)
        if view is None:
            return dataclasses.replace(self, lessons=lessons)
        for label in range(threat.classes):
            try:
                lessons.keep(Asked(model, loss, view, label), clock=clock)
            except TimeIsUp:
                break
        return dataclasses.replace(self, lessons=lessons)

    def common_view(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> View | None:
        """The view that all releases of the defense have; None where each has its own.

        Two releases of images of the adversary's own say which.
        """
        views = [self._own_view(model, loss, threat, place, generator) for place in range(2)]
        first, second = (lesson_key(model, threat.learning[:1], view, 0) for view in views)
        return views[0] if first == second and not preprocessing.draws(model) else None

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; draws only where the defense is applied anew."""
        require(self.refusal(model, threat), "lti")
        clock, lessons = threat.clock(), self._lessons(model, threat)
        labels = recover_labels(model, loss, release, threat)
        view = View.of(release, threat)
        try:
            asked = Asked(model, loss, view, int(labels[0]))
            images = lessons.predict(asked, generator=generator, clock=clock)
            stopped = "solved"
        except TimeIsUp:
            images, stopped = lessons.images.mean(0, keepdim=True), "time"
        compare = residual(model, loss, release, threat, labels)
        std, spent = noise_std(release, threat), 0
        if self.iterations and not clock.over:
            size = float(flat(release.update).double().norm())
            level = (SIGNED if view.defended else MEASURED) * size
            found = descend(
                compare,
                lessons.population,
                lessons.population.encode(images),
                [max(std, level)],
                evaluations=threat.allowed(self.iterations),
                clock=clock,
            )
            images, stopped = lessons.population.decode(found.point), found.stopped
            spent = found.evaluations
        prior = SpectralPrior.fit(threat.auxiliary_images.to(images.device))
        images, value = settle(compare, images.double().clamp(0, 1), prior, std)
        return Guess(images.float().cpu(), labels, value, "lti", max(1, spent), stopped)

    def _lessons(self, model: nn.Module, threat: Threat) -> Lessons:
        if self.lessons is not None:
            return self.lessons
        return Lessons.of(threat.learning[: self.learn].to(next(model.parameters()).device))

    @staticmethod
    def _own_view(
        model: nn.Module, loss: Loss, threat: Threat, place: int, generator: torch.Generator
    ) -> View:
        """Of a release of an image of the adversary's own."""
        device = next(model.parameters()).device
        image = threat.learning[place : place + 1].to(device)
        label = torch.zeros(1, dtype=torch.int64, device=device)
        grads = candidate_gradients(model, loss, image, label, differentiable=False)
        return View.of(threat.defense.release(grads, generator=generator), threat)
