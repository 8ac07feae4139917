"""Which label goes with which image, by the slopes that each one must have caused."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.invert.contract import Loss, Threat
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.matching.share_labels import share_labels


def name_images(
    model: nn.Module, loss: Loss, images: Tensor, slopes: Tensor, bias: str, threat: Threat
) -> tuple[Tensor, Tensor]:
    """Labels of rebuilt images, each the one that explains the slopes of its image best.

    Args:
        model: the victim.
        loss: the victim's.
        images: (K, C, H, W) on the model's device.
        slopes: (K, m) float64, the gradient of the first layer's bias that each image caused, up to
            a positive factor.
        bias: name of that bias.
        threat: ``labels``, where they are known, are shared out so that they fit best; there may be
            more of them than images, B >= K.

    Returns:
        (K,) int64 labels on the CPU, sorted, or the (B,) that are known, and the image of each: of
        those that are left over numbers from K on.
    """
    count, classes = len(images), threat.classes
    every = images.repeat_interleave(classes, 0)
    labels = torch.arange(classes, device=images.device).repeat(count)
    grads = candidate_gradients(model, loss, every, labels, differentiable=False)[bias]
    fits = F.cosine_similarity(
        grads.detach().double().unflatten(0, (count, classes)), slopes[:, None], dim=2
    ).nan_to_num(0.0)
    if threat.labels is None:
        labels, order = fits.argmax(1).cpu().sort(stable=True)
        return labels, order
    return threat.labels, share_labels(-fits[:, threat.labels.to(fits.device)].T)
