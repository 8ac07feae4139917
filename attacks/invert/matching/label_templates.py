"""What each label leaves in a release, shown on images of the adversary's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.clock import Clock
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.matching.label_counts import mend_counts
from attacks.invert.matching.objective import replay
from defenses import Release
from defenses.gradients import flat

TEMPLATES = 40
"""Gradients computed for templates, all classes together; at least one per class."""


def slopes_by_label(model: nn.Module, loss: Loss, threat: Threat) -> Iterator[Tensor]:
    """(N, classes) float64 slopes of each auxiliary image's own loss at its logits, by label."""
    device = next(model.parameters()).device
    with torch.no_grad():
        logits = model(threat.auxiliary_images.to(device))
    for label in range(threat.classes):
        point = logits.detach().requires_grad_()
        labels = torch.full((len(point),), label, device=device)
        slope = torch.autograd.grad(loss(point, labels), point)[0]
        yield slope.double() * len(point)  # the loss is a mean


def templates_of_all(model: nn.Module, loss: Loss, templates: Tensor, threat: Threat) -> Tensor:
    """(classes, classes) what makes bias templates of few images those of all auxiliary ones.

    The slopes at the logits cost one pass for all images, and the bias's gradient is they, up to a
    scale and what the defense does: they are the control variate.
    """
    each = _examples_of_each(threat)
    moves = []
    for template, slopes in zip(templates, slopes_by_label(model, loss, threat), strict=False):
        few = slopes[:each].mean(0)
        scale = (template @ few) / few.square().sum().clamp(min=1e-30)
        moves.append(scale * (slopes.mean(0) - few))
    return torch.stack(moves)


def _examples_of_each(threat: Threat) -> int:
    """How many images are gone through whole for the template of each label."""
    return max(1, TEMPLATES // threat.classes)


def place_of(update: Mapping[str, Tensor], name: str) -> slice:
    """Where a parameter's values lie in `flatten` of the update."""
    start = 0
    for key, value in update.items():
        if key == name:
            break
        start += value.numel()
    return slice(start, start + update[name].numel())


def count_labels(
    templates: Tensor, observed: Tensor, threat: Threat, spread: Tensor | None = None
) -> Tensor:
    """(B,) labels whose templates add up to the release, by least squares with n_c >= 0.

    Args:
        templates: (classes, P), what one example of each label adds.
        observed: (P,), what was released.
        threat: ``batch_size`` is used.
        spread: see `mend_counts`; None: not known, and each count is rounded by itself.
    """
    # The counts must sum to B: without that row, adding p_c to every n_c would change nothing.
    weight = 10 * templates.norm()
    classes = len(templates)
    rows = torch.cat([templates.T, weight.expand(1, classes)])
    target = torch.cat([observed, (weight * threat.batch_size)[None]])
    share = torch.from_numpy(nnls(rows.detach().cpu().numpy(), target.detach().cpu().numpy())[0])
    share = share / share.sum().clamp(min=1e-12) * threat.batch_size
    counts = share.floor().long()
    rest = (share - counts).argsort(descending=True, stable=True)
    counts[rest[: threat.batch_size - int(counts.sum())]] += 1
    if spread is not None:
        known = (t.detach().double().cpu() for t in (templates, observed, spread))
        counts = mend_counts(counts, *known)
    return torch.repeat_interleave(torch.arange(classes), counts)


def draw_templates(
    model: nn.Module, loss: Loss, release: Release, threat: Threat, clock: Clock
) -> Tensor:
    """(classes, P) mean replayed gradient of auxiliary images under each label, float64.

    Of the first labels only where the clock ends it.
    """
    device = next(model.parameters()).device
    images = threat.auxiliary_images[: _examples_of_each(threat)].to(device)
    rows: list[Tensor] = []
    for label in range(threat.classes):
        if rows and clock.over:
            break
        labels = torch.full((len(images),), label, device=device)
        grads = candidate_gradients(model, loss, images, labels, differentiable=False)
        # One at a time: each stands for a whole batch of this label, so clipping acts on it.
        alone = [
            replay({k: g[i : i + 1] for k, g in grads.items()}, release, threat)
            for i in range(len(images))
        ]
        rows.append(torch.stack([flat(a) for a in alone]).double().mean(0))
    return torch.stack(rows)
