"""Exact inversion of networks of convolutions, ReLU and pooling, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.objective import energy, noise_std, require, residual
from attacks.invert.peeling.graph import Graph, read_graph
from attacks.invert.peeling.last_layer import refusal
from attacks.invert.peeling.match import Match, match
from attacks.invert.peeling.peeled import Peeled, peel_release
from attacks.invert.peeling.rules.contract import NoRule
from defenses import BadInput, Release
from defenses.registry import option


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
    nothing. A batch is taken apart at the top convolution.
    """

    iterations: int = option(300, "evaluations of feature matching", low=1)

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs layers with rules between the logits and the last weight below them."""
        try:
            return refusal(read_graph(model, threat.image_shape))
        except NoRule as reason:
            return str(reason)

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
        try:
            graph = read_graph(model, threat.image_shape)
        except NoRule as reason:
            raise BadInput(f"attack 'peel' does not apply: {reason}") from reason
        require(refusal(graph), "peel")
        prior = SpectralPrior.fit(threat.auxiliary_images.to(next(model.parameters()).device))
        peeled = peel_release(graph, release, threat, clock, generator=generator)
        labels = peeled.labels
        if labels is None:
            labels = recover_labels(model, loss, release, threat)
        found = self._match(graph, peeled, prior, threat, clock)
        images = torch.cat([one.image for one in found]).clamp(0, 1)
        labels, order = labels.sort(stable=True)
        images = images[order.to(images.device)]
        compare = residual(model, loss, release, threat, labels, dtype=torch.float32)
        value = energy(compare, images.float(), prior, noise_std(release, threat))
        solved = all(one.stopped == "solved" for one in found)
        stopped = "time" if clock.over else "solved" if solved else "iterations"
        spent = -(-sum(one.evaluations for one in found) // len(found))
        note = "" if solved else peeled.note
        return Guess(images.float().cpu(), labels, value, "peel", max(1, spent), stopped, note)

    def _match(
        self,
        graph: Graph,
        peeled: Peeled,
        prior: SpectralPrior,
        threat: Threat,
        clock: Clock,
    ) -> list[Match]:
        """The image of each example by its own features; the mean where nothing is known."""
        deepest, size = peeled.deepest(), threat.batch_size
        known = [] if deepest is None else [peeled.value(deepest)]
        if deepest == graph.image:
            return [Match(image[None], 0.0, 0, "solved") for image in known[0]]
        exact = len(known)
        known += peeled.directions.values()
        if not known:
            return [Match(prior.mean[None], 1.0, 0, "iterations")] * size
        names = [name for name in (deepest, *peeled.directions) if name is not None]
        layers = graph.upto(names, torch.float32)

        def features(images: Tensor) -> list[Tensor]:
            given = layers(images)
            directions = [other / other.norm().clamp(min=1e-12) for other in given[exact:]]
            return [*given[:exact], *directions]

        return [
            match(
                features,
                [value[b : b + 1] for value in known],
                prior,
                evaluations=threat.allowed(self.iterations),
                clock=clock.part(1 / (size - b)),
            )
            for b in range(size)
        ]
