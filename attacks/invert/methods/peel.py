"""Exact inversion of networks of convolutions, ReLU and pooling, layer by layer."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

import defenses
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry, require
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.fit import is_explained
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import energy, noise_std, residual
from attacks.invert.peeling.graph import Graph
from attacks.invert.peeling.last_layer import obstacle, refusal
from attacks.invert.peeling.masked import MaskedTop, peel_masked
from attacks.invert.peeling.match import Match
from attacks.invert.peeling.onward import MOST
from attacks.invert.peeling.own import Own
from attacks.invert.peeling.partial import images_of, plan_within
from attacks.invert.peeling.peeled import peel_release, with_length
from attacks.invert.peeling.readable import is_noisy, visible_coordinates
from attacks.invert.peeling.rules.contract import NoRule
from attacks.invert.peeling.scale import find_scale
from attacks.invert.peeling.trace import read_graph
from attacks.invert.peeling.weights import Weights
from attacks.invert.peeling.whole import images_of_batch
from defenses import Release
from defenses.options import option


@registry.register("peel")
@dataclass(frozen=True)
class Peel(Inversion):
    """What each layer was fed by least squares on its weight's gradient, from the logits down.

    Zhu and Blaschko (2021, R-GAP) walk up from the slope at the logits through layers whose
    activations can be inverted; here ReLU and max pooling are passed too: the first convolution
    under them that has fewer places than channels tells its input by its gradient's row space
    alone, and with it what was passed on. The walk goes on while equations outnumber unknowns;
    the image is then the one whose features at the deepest layer are those found, sought in the
    whitened coordinates of `SpectralPrior`. Clipping multiplies everything by one factor and costs
    nothing. A batch is taken apart at the top convolution, or behind the logits.

    Under a mask, or of a batch with too many places, the row space says nothing: that
    convolution's input and gates are solved for together, near the joint principal components of
    image, input and gates over auxiliary images, until a residual proves them right; under noise
    until it meets the noise. Where nothing is proven of one example, the likeliest image for what
    was found and the latent image compete. Masks and noise are taken on with one example alone.
    """

    iterations: int = option(600, "evaluations of feature matching", low=1)
    own: Own | None = field(default=None, metadata={"hidden": True}, compare=False, repr=False)

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs a gradient, and layers with rules from the logits to the last weight below them."""
        if threat.local is not None:
            return "it takes a gradient, not a weight difference after local steps"
        try:
            return refusal(read_graph(model, threat.image_shape))
        except NoRule as reason:
            return str(reason)

    def obstacle(self, model: nn.Module, threat: Threat) -> str:
        """What a walk is expected to end at above the first weight; empty: nothing."""
        return (
            "" if self.refusal(model, threat) else obstacle(read_graph(model, threat.image_shape))
        )

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; draws only to take a batch apart."""
        clock = threat.clock()
        require(self.refusal(model, threat), "peel")
        graph = read_graph(model, threat.image_shape)
        prior = SpectralPrior.fit(threat.auxiliary_images.to(next(model.parameters()).device))
        if threat.batch_size == 1 and (part := _part(release, threat)) is not None:
            return self._of_part(model, loss, release, threat, graph, part, prior, clock)
        told = functools.cache(lambda: recover_labels(model, loss, release, threat))
        own = self.own or Own.of(model, threat.auxiliary_images)
        plan = plan_within(threat.evaluations)
        top = MaskedTop(graph, own.images, prior, own.seen, 0.0, clock, plan)
        peeled = peel_release(
            graph, release, threat, clock, labels=told, top=top, generator=generator
        )
        labels = told() if peeled.labels is None else peeled.labels
        looked = 0 if top.guess is None else top.guess.evaluations
        if threat.batch_size == 1 and _affords(threat):
            peeled, spent = with_length(graph, peeled, loss, labels)
            looked += spent
        found = images_of_batch(
            graph,
            peeled,
            prior,
            own,
            threat.batch_size,
            evaluations=max(1, threat.allowed(self.iterations + looked) - looked),
            clock=clock,
        )
        images = torch.cat([one.image for one in found]).clamp(0, 1)
        labels, order = labels.sort(stable=True)
        images = images[order.to(images.device)]
        compare = residual(model, loss, release, threat, labels, dtype=torch.float32)
        value = energy(compare, images.float(), prior, noise_std(release, threat))
        solved = all(one.stopped == "solved" for one in found)
        stopped = "time" if clock.over else "solved" if solved else "iterations"
        spent = looked - (-sum(one.evaluations for one in found) // len(found))
        note = "" if solved else peeled.note
        return Guess(images.float().cpu(), labels, value, "peel", max(1, spent), stopped, note)

    def tuned(
        self, model: nn.Module, loss: Loss, threat: Threat, *, generator: torch.Generator
    ) -> Peel:
        """Hold what auxiliary images show, and look at it where the defense makes that needed."""
        if self.refusal(model, threat):
            return self
        own = Own.of(model, threat.auxiliary_images)
        ready = dataclasses.replace(self, own=own)
        if threat.batch_size > 1:
            return ready
        images = own.images
        labels = threat.auxiliary_labels[:1].to(images.device)
        grads = candidate_gradients(model, loss, images[:1], labels, differentiable=False)
        defense = threat.defense if threat.adaptive else defenses.get("none")
        if _part(defense.release(grads, generator=generator), threat) is None:
            return ready
        own.prepare(read_graph(model, threat.image_shape))
        return ready

    def _of_part(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        graph: Graph,
        shown: dict[str, Tensor],
        prior: SpectralPrior,
        clock: Clock,
    ) -> Guess:
        """From a release with a mask or with noise."""
        own = self.own or Own.of(model, threat.auxiliary_images)
        noise = threat.defense.noise(release) if is_noisy(release, threat) else 0.0
        plan = plan_within(threat.evaluations)
        top = MaskedTop(graph, own.images, prior, own.seen, noise, clock, plan)
        known = None if threat.labels is None else int(threat.labels[0])
        found = peel_masked(graph, Weights(release.update, shown), own.softmax, top, known)
        looked = 0
        if _affords(threat):
            found, looked = find_scale(graph, found, loss)
        spent = looked + (0 if top.guess is None else top.guess.evaluations)
        allowed = max(1, threat.allowed(self.iterations + spent) - spent)
        compare = residual(model, loss, release, threat, found.label, dtype=torch.float32)
        tried = list(images_of(graph, found, prior, own, evaluations=allowed, clock=clock))
        tried = tried or [Match(prior.mean[None], 1.0, 0, "iterations")]
        std = noise_std(release, threat)
        values = [energy(compare, t.image.clamp(0, 1).float(), prior, std) for t in tried]
        best = tried[values.index(min(values))]
        # Without an entry of the last bias the length of everything is a guess: what is solved up
        # to that is not solved, unless it explains the release.
        rebuilt = best.image.clamp(0, 1).float()
        solved = best.stopped == "solved" and (found.scaled or is_explained(compare, rebuilt, std))
        stop = found.walk.stop
        note = "" if stop is None else f"{stop.layer}: {stop.reason}"
        if best.stopped == "solved":
            note = "" if solved else "no entry of the last bias is seen, and so no length is known"
        return Guess(
            rebuilt.cpu(),
            found.label,
            min(values),
            "peel",
            max(1, spent + sum(t.evaluations for t in tried)),
            "time" if clock.over else "solved" if solved else "iterations",
            "the release has noise" if noise else note,
        )


def _affords(threat: Threat) -> bool:
    """Whether looking for a length leaves most of what is allowed to the image."""
    return threat.evaluations is None or threat.evaluations >= 4 * MOST


def _part(release: Release, threat: Threat) -> dict[str, Tensor] | None:
    """The coordinates that are shown of a gradient in part, or with noise; None of a whole one."""
    shown = visible_coordinates(release, threat)
    if isinstance(shown, str):
        return None
    hidden = not all(bool(mask.all()) for mask in shown.values())
    return shown if hidden or is_noisy(release, threat) else None
