"""Which labels were in the batch: iDLG's sign, or templates from the attacker's own images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.contract import Loss, Threat
from attacks.invert.learning.evidence import log_evidence
from attacks.invert.matching.clock import TimeIsUp
from attacks.invert.matching.label_order import order_labels
from attacks.invert.matching.label_signs import label_of_signs
from attacks.invert.matching.label_spread import spread_that_helps
from attacks.invert.matching.label_templates import (
    TEMPLATES,
    count_labels,
    draw_templates,
    place_of,
    slopes_by_label,
    templates_of_all,
)
from attacks.invert.matching.layers import Behind, behind_logits
from attacks.invert.matching.objective import noise_std, replay, support
from defenses import Release
from defenses.gradients import flat
from victims.gradients import LocalSteps

TOLD = 16
"""With fewer images of its own the adversary does not weigh labels by evidence."""


def recover_labels(model: nn.Module, loss: Loss, release: Release, threat: Threat) -> Tensor:
    """(B,) labels, sorted (of local steps in their order); those that are known as they are.

    One example: the class whose gradient is negative on the bias behind the logits (iDLG, Zhao et
    al. 2020) when the whole bias is visible and noiseless, or always for a naive adversary;
    otherwise the one that the visible signs prove (`label_of_signs`); else, where coordinates are
    missing, the class of most evidence among the adversary's own
    images (`log_evidence`); where none is, or where time or images are too short for that, the one
    that explains the last layer's visible gradient best (`_explain`). Batches:
    least squares on templates, the replayed gradients of the adversary's own images under each
    label, gives the counts, which on an undefended bias is n_c = B (mean p_c - db_c); what images
    vary by says which counts near these are likeliest (`mend_counts`), where on batches of its own
    it is right more often. Local steps have an order too:
    `attacks.invert.matching.label_order.order_labels`.
    """
    if threat.labels is not None:
        return threat.labels
    if threat.local is not None and threat.batch_size > 1:
        counted = _of_one_step(model, loss, release, threat, threat.local)
        return order_labels(model, loss, release, threat) if counted is None else counted
    clock = threat.clock()
    seen = support(release, threat)
    own = threat.auxiliary_images[:1].to(next(model.parameters()).device)
    last = behind_logits(model, own, threat.classes)
    bias = release.update.get(last.bias or "")
    visible = bias is not None and bool(seen[str(last.bias)].all())
    exact = not threat.adaptive or float(release.public.get("noise_std", 0.0)) == 0
    if threat.batch_size == 1:
        if bias is not None and visible and exact and (bias.min() < 0 or not threat.adaptive):
            return bias.argmin()[None].cpu()
        if threat.local is not None:
            return order_labels(model, loss, release, threat)
        if exact and (told := _by_signs(model, loss, release, threat, seen, last)) is not None:
            return torch.tensor([told])
        missing = not all(bool(mask.all()) for mask in seen.values())
        if missing and threat.adaptive and len(threat.auxiliary_images) >= TOLD:
            with suppress(TimeIsUp):
                return log_evidence(model, loss, release, threat, clock).argmax()[None]
        if last.weight in release.update:
            mask = seen[last.weight]
            return _explain(model, loss, release.update[last.weight], mask, threat)
    templates = draw_templates(model, loss, release, threat, clock)
    observed = flat(release.update).double()
    if threat.batch_size == 1:
        return F.cosine_similarity(templates, observed[None]).argmax()[None].cpu()
    if visible:  # the weights' gradients depend on the images too, the bias's hardly
        place = place_of(release.update, str(last.bias))
        templates, observed = templates[:, place], observed[place]
        templates = templates + templates_of_all(model, loss, templates, threat)
        spread = spread_that_helps(model, loss, templates, threat)
        if spread is not None:
            spread = spread + noise_std(release, threat) ** 2 * torch.eye(len(spread)).to(spread)
        return count_labels(templates, observed, threat, spread)
    return count_labels(templates, observed, threat)


def _of_one_step(
    model: nn.Module, loss: Loss, release: Release, threat: Threat, local: LocalSteps
) -> Tensor | None:
    """(B,) labels of one step, which have no order, by the bias behind the logits.

    That bias's difference is lr (mean p - n / B); the mean softmax p is that of the adversary's own
    images. None of several steps, and where the release is no such difference.
    """
    own = threat.auxiliary_images.to(next(model.parameters()).device)
    bias = behind_logits(model, own[:1], threat.classes).bias
    if local.steps > 1 or bias not in release.update:
        return None
    shown = release.update[bias]
    twice = {k: 2 * v[None] for k, v in release.update.items()}  # what is clipped would be still
    noisy = threat.adaptive and threat.defense.noise(release) > 0
    if noisy or not torch.allclose(replay(twice, release, threat)[bias], 2 * shown, rtol=1e-4):
        return None
    if not bool(support(release, threat)[bias].all()):
        return None
    slopes = torch.stack([s.mean(0) for s in slopes_by_label(model, loss, threat)])
    spread = spread_that_helps(model, loss, slopes, threat)
    return count_labels(slopes, threat.batch_size / local.lr * shown.double(), threat, spread)


def _by_signs(
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    seen: Mapping[str, Tensor],
    last: Behind,
) -> int | None:
    """See `label_of_signs`; None where the weight behind the logits was not released."""
    if not threat.adaptive or last.weight not in release.update:
        return None
    bias = release.update.get(last.bias or "")
    shown = seen[str(last.bias)] if bias is not None else torch.tensor(False)
    few = replace(threat, auxiliary_images=threat.auxiliary_images[:TEMPLATES])
    weight = release.update[last.weight]
    return label_of_signs(slopes_by_label(model, loss, few), weight, bias, seen[last.weight], shown)


def _explain(model: nn.Module, loss: Loss, value: Tensor, mask: Tensor, threat: Threat) -> Tensor:
    """(1,) the label under which the gradient of the layer behind the logits is explained best.

    That gradient is an outer product d_c a^T of the loss's slope at the logits, which is known
    but for the label (its mean over auxiliary images is taken), and of features that are not:
    they are solved for by least squares on the visible coordinates, so their sign is free.

    Args:
        model: the victim.
        loss: the victim's.
        value: (classes, features), as released.
        mask: of its visible coordinates.
        threat: ``auxiliary_images`` and ``classes`` are used.
    """
    value, mask = value.double(), mask.double()
    misfits = []
    for slopes in slopes_by_label(model, loss, threat):
        slope = slopes.mean(0)[:, None]
        features = (mask * slope * value).sum(0) / (mask * slope.square()).sum(0).clamp(min=1e-30)
        misfits.append((mask * (value - slope * features)).square().sum())
    return torch.stack(misfits).argmin()[None].cpu()
