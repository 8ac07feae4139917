"""Exact inversion of batches of fully connected ReLU networks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry, require
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.image_prior import SpectralPrior
from attacks.invert.matching.labels import recover_labels
from attacks.invert.matching.layers import Fed, fed_with_pixels
from attacks.invert.matching.objective import energy, noise_std, residual
from attacks.invert.peeling.readable import is_noisy, visible_coordinates
from attacks.invert.sparsity.factors import factors
from attacks.invert.sparsity.naming import name_images
from attacks.invert.sparsity.search import example_directions
from attacks.invert.sparsity.zeros import leaves_zeros
from defenses import Release
from defenses.options import option

FINEST, COARSEST = 1e-6, 1e-3
"""What counts as a zero, as a share of its example's largest entry, lies between these."""
ROUNDED = 1e-7
"""Relative error of a gradient in float32. A zero is off by that times how much fainter the
faintest mixture of examples is than the strongest."""
UNMET = 1e-5
"""Relative misfit of the gradient by as many outer products as there are examples, above which it
is no sum of so many."""


@registry.register("spear")
@dataclass(frozen=True)
class Spear(Inversion):
    """A batch's gradient of a first linear layer, taken apart exactly (Dimitrov et al. 2024).

    Weight and bias gradient together are a sum of b outer products of slopes and (x, 1), a matrix
    of rank b. Behind a ReLU about half of each example's slopes are zero, which no mixture of
    examples has: the b directions with many zeros are the examples (`sparse_directions`); where a
    single ReLU layer lies before the logits and the network is unsure, slopes have signs that hang
    on the label alone, and more examples are told apart by these (`ray_directions`). Of a
    mask the matrix is completed first, which is possible as long as enough entries of each row and
    column are seen; clipping stretches an example's slopes and is nothing to its image. Each
    image's label is the one that explains its slopes. Where not all directions are found, what
    was is completed by least squares and the others are the mean of the auxiliary images. A batch
    of one needs no ReLU. Slopes that are multiples of one another where both are not zero, as those
    of two classes behind a single hidden layer, have differences with as many zeros as they have;
    there a direction must have slopes that the logits can cause (`can_be_slopes`). Only images that
    explain the release are called solved.
    """

    rounds: int = option(20, "of 512 starting directions for the search of zeros", low=1)
    programs: int = option(2000, "linear programs for what that search has not found", low=0)

    def refusal(self, model: nn.Module, threat: Threat) -> str:
        """Needs a gradient and a first linear layer with bias, with a ReLU behind it if B > 1."""
        if threat.local is not None:
            return "it takes a gradient, not a weight difference after local steps"
        fed_by = fed_with_pixels(model, threat.image_shape, threat.classes)
        if fed_by is None:
            return "the model's first layer is not linear with a bias, or is not trained"
        outputs = len(model.get_parameter(fed_by.weight))
        if threat.batch_size > 1 and 2 * threat.batch_size >= outputs:
            return f"{outputs} outputs of the first layer do not tell {threat.batch_size} images"
        if threat.batch_size > 1 and not leaves_zeros(model, fed_by.bias, threat):
            return "no ReLU behind the model's first layer leaves zeros to tell a batch apart by"
        return ""

    def reconstruct(
        self,
        model: nn.Module,
        loss: Loss,
        release: Release,
        threat: Threat,
        *,
        generator: torch.Generator,
    ) -> Guess:
        """See `Inversion.reconstruct`; draws the starts of its search."""
        require(self.refusal(model, threat), "spear")
        fed_by = fed_with_pixels(model, threat.image_shape, threat.classes)
        assert fed_by is not None
        clock = threat.clock()
        prior = SpectralPrior.fit(threat.auxiliary_images.to(next(model.parameters()).device))
        told = self._tell(model, loss, fed_by, release, threat, clock, generator=generator)
        pixels = torch.where(
            told.seen, (told.fed - fed_by.offset) / fed_by.scale, prior.mean.flatten()
        )
        images = pixels.reshape(-1, *threat.image_shape).clamp(0, 1)
        missing = threat.batch_size - len(images)
        images = torch.cat([images, prior.mean.expand(missing, -1, -1, -1)]).float()
        labels = recover_labels(model, loss, release, threat) if missing else threat.labels
        if found := len(told.slopes):
            labels, order = name_images(
                model,
                loss,
                images[:found],
                told.slopes,
                fed_by.bias,
                replace(threat, labels=labels),
            )
            images = images[order.to(images.device)]
        assert labels is not None
        caused = residual(model, loss, release, threat, labels, dtype=torch.float32)(images)
        std, note = noise_std(release, threat), told.note
        value = energy(lambda _: caused, images, prior, std)
        if not note and not Fit.of(lambda _: caused, images).is_explained(std):
            note = "the directions of many zeros that were found do not explain the release"
        stopped = "time" if clock.over else "iterations" if note else "solved"
        return Guess(images.cpu(), labels, value, "spear", 1, stopped, note)

    def _tell(
        self,
        model: nn.Module,
        loss: Loss,
        fed_by: Fed,
        release: Release,
        threat: Threat,
        clock: Clock,
        *,
        generator: torch.Generator,
    ) -> _Told:
        """Take the gradient of the first linear layer apart, as far as the release allows."""
        weight, bias = (release.update[name].double() for name in (fed_by.weight, fed_by.bias))
        matrix = torch.cat([weight, bias[:, None]], 1)
        outputs, values = weight.shape

        def nothing(note: str) -> _Told:
            shown = torch.zeros(values, dtype=torch.bool, device=weight.device)
            return _Told(weight.new_zeros(0, values), weight.new_zeros(0, outputs), shown, note)

        shown = visible_coordinates(release, threat)
        if isinstance(shown, str):
            return nothing(shown)
        if is_noisy(release, threat):
            return nothing("the release has noise")
        seen = torch.cat([shown[fed_by.weight], shown[fed_by.bias][:, None]], 1)
        left, right, misfit = factors(matrix, seen, threat.batch_size, clock)
        rank = left.shape[1]
        if misfit > UNMET:
            return nothing(f"what is seen of the first layer is no sum of {rank} outer products")
        full_rows, columns = seen.sum(1) > rank, seen.sum(0) > rank
        if not bool(columns[-1]):
            return nothing("too few entries of the first bias are seen to tell the images' lengths")
        strengths = torch.linalg.svdvals(left)
        fainter = float(strengths[0] / strengths[-1])
        zero = min(COARSEST, max(FINEST, fainter * max(ROUNDED, misfit)))
        directions = example_directions(
            model,
            loss,
            release,
            threat,
            fed_by.bias,
            left,
            full_rows,
            rounds=self.rounds,
            programs=self.programs,
            zero=zero,
            generator=generator,
            clock=clock,
        )
        slopes = left @ directions.T
        fed = torch.linalg.lstsq(slopes, left).solution @ right
        length = fed[:, -1:]
        note = ""
        if len(directions) < threat.batch_size:
            note = (
                f"{len(directions)} of {threat.batch_size} examples were told apart by their zeros"
            )
        return _Told(fed[:, :-1] / length, slopes.T * length, columns[:-1], note)


@dataclass(frozen=True)
class _Told:
    """What the examples of a batch fed to a layer.

    Attributes:
        fed: (K, D) float64, of K <= B examples.
        slopes: (K, m), the gradient of the layer's bias that each of them caused.
        seen: (D,) bool, of which values enough entries are seen; the others are anything.
        note: why K < B, in one line; empty where it is B.
    """

    fed: Tensor
    slopes: Tensor
    seen: Tensor
    note: str
