"""Which labels were in the batch: iDLG's sign, or templates from the attacker's own images."""

from __future__ import annotations

import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching import candidate_gradients, flatten, replay, support
from defenses import Release

TEMPLATES = 40
"""Gradients computed for templates, all classes together; at least one per class."""


def recover_labels(model: nn.Module, loss: Loss, release: Release, threat: Threat) -> Tensor:
    """(B,) labels, sorted; those the adversary knows are returned as they are.

    One example: the class whose last-layer bias gradient is negative (iDLG, Zhao et al. 2020),
    when the whole bias is visible and noiseless, or always for a naive adversary. Otherwise the
    class whose template, the replayed gradient of the adversary's own images under that label,
    correlates best with the release. Batches: non-negative least squares on the templates gives
    the counts n_c (with the bias alone this is n_c = B (mean p_c - db_c)).
    """
    if threat.labels is not None:
        return threat.labels
    if threat.batch_size == 1:
        bias = _last_bias(release, threat)
        if bias is not None:
            return bias.argmin()[None].cpu()
    templates = _templates(model, loss, release, threat)
    observed = flatten(release.update).double()
    if threat.batch_size == 1:
        return torch.nn.functional.cosine_similarity(templates, observed[None]).argmax()[None].cpu()
    weights, _ = nnls(templates.T.cpu().numpy(), observed.cpu().numpy())
    share = torch.from_numpy(weights)
    share = share / share.sum().clamp(min=1e-12) * threat.batch_size
    counts = share.floor().long()
    rest = (share - counts).argsort(descending=True, stable=True)
    counts[rest[: threat.batch_size - int(counts.sum())]] += 1
    return torch.repeat_interleave(torch.arange(threat.classes), counts)


def _last_bias(release: Release, threat: Threat) -> Tensor | None:
    """The last layer's bias gradient where its sign can be trusted, else None."""
    name, value = list(release.update.items())[-1]
    if value.shape != (threat.classes,):
        return None
    if not threat.adaptive:
        return value
    noisy = float(release.public.get("noise_std", 0.0)) > 0
    visible = bool(support(release, threat)[name].all())
    return value if visible and not noisy and int((value < 0).sum()) == 1 else None


def _templates(model: nn.Module, loss: Loss, release: Release, threat: Threat) -> Tensor:
    """(classes, P) mean replayed gradient of auxiliary images under each label, float64."""
    each = max(1, TEMPLATES // threat.classes)
    device = next(model.parameters()).device
    images = threat.auxiliary_images[:each].to(device)
    rows = []
    for label in range(threat.classes):
        labels = torch.full((len(images),), label, device=device)
        grads = candidate_gradients(model, loss, images, labels, differentiable=False)
        # One at a time: each stands for a whole batch of this label, so clipping acts on it.
        alone = [
            replay({k: g[i : i + 1] for k, g in grads.items()}, release, threat)
            for i in range(len(images))
        ]
        rows.append(torch.stack([flatten(a) for a in alone]).double().mean(0))
    return torch.stack(rows)
