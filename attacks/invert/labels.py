"""Which labels were in the batch: iDLG's sign, or templates from the attacker's own images."""

from __future__ import annotations

import torch
from scipy.optimize import nnls
from torch import Tensor, nn
from torch.nn import functional as F

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
    the counts, which on an undefended bias is n_c = B (mean p_c - db_c).
    """
    if threat.labels is not None:
        return threat.labels
    name, bias = list(release.update.items())[-1]
    visible = bias.shape == (threat.classes,)
    if threat.adaptive:
        visible = visible and bool(support(release, threat)[name].all())
    exact = not threat.adaptive or float(release.public.get("noise_std", 0.0)) == 0
    if threat.batch_size == 1 and visible and exact and (bias.min() < 0 or not threat.adaptive):
        return bias.argmin()[None].cpu()
    templates = _templates(model, loss, release, threat)
    observed = flatten(release.update).double()
    if threat.batch_size == 1:
        return F.cosine_similarity(templates, observed[None]).argmax()[None].cpu()
    if visible:  # the weights' gradients depend on the images too, the bias's hardly
        templates, observed = templates[:, -threat.classes :], observed[-threat.classes :]
    return _counts(templates, observed, threat)


def _counts(templates: Tensor, observed: Tensor, threat: Threat) -> Tensor:
    """(B,) labels whose templates add up to the release, by least squares with n_c >= 0."""
    # The counts must sum to B: without that row, adding p_c to every n_c would change nothing.
    weight = 10 * templates.norm()
    rows = torch.cat([templates.T, weight.expand(1, threat.classes)])
    target = torch.cat([observed, (weight * threat.batch_size)[None]])
    share = torch.from_numpy(nnls(rows.cpu().numpy(), target.cpu().numpy())[0])
    share = share / share.sum().clamp(min=1e-12) * threat.batch_size
    counts = share.floor().long()
    rest = (share - counts).argsort(descending=True, stable=True)
    counts[rest[: threat.batch_size - int(counts.sum())]] += 1
    return torch.repeat_interleave(torch.arange(threat.classes), counts)


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
