"""Models in two parts: frozen features, computed once, and a head that is trained on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defenses import BadInput
from reports.commands.progress import Report, unwatched
from victims.models.foreign import Foreign, as_foreign, own_forward


class Featurised(nn.Module):
    """``head(features(images))``, of which only the head learns (Tramèr and Boneh 2021).

    Frozen features never see a private gradient: nothing of them is clipped, noised or released,
    and they can be computed once. Images still have a gradient through them.

    Args:
        features: any module that handles each image on its own; frozen in place, its parameters
            without gradients and its BatchNorm and dropout in eval mode for good.
        head: logits from what ``features`` returns; its parameters' names begin with ``head.``.
    """

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features.requires_grad_(False).eval()
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Args: images (B, C, H, W) in [0, 1]. Returns: logits (B, classes)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def train(self, mode: bool = True) -> Featurised:
        """As every module's, but the features stay in eval mode: their statistics are fixed."""
        super().train(mode)
        self.features.eval()
        return self


@torch.no_grad()
def precompute(
    model: Featurised, images: Tensor, *, batch: int = 256, report: Report = unwatched
) -> Tensor:
    """Compute what the frozen part makes of every image, so that training runs the head alone.

    Train on them with `on_features`.

    Args:
        model: runs on its own device and in its own precision.
        images: (N, C, H, W) in [0, 1], N >= 1, on any device.
        batch: how many images are handled together, at least 1.
        report: called after each batch with a line, the images done and N.

    Returns:
        (N, ...) float32 on the device of ``images``, the head's inputs.

    Raises:
        BadInput: no images, or ``batch`` below 1.
    """
    total = len(images)
    if total == 0 or batch < 1:
        raise BadInput(f"features need at least one image and a batch >= 1, not {total}, {batch}")
    like = next(model.parameters())
    features: Tensor | None = None
    for start in range(0, total, batch):
        part = model.features(images[start : start + batch].to(like))
        if features is None:  # filled in place: torch.cat would need the memory twice
            features = images.new_empty((total, *part.shape[1:]), dtype=torch.float32)
        features[start : start + batch] = part
        report("computing features", min(start + batch, total), total)
    assert features is not None
    return features


def on_features(model: Featurised) -> Featurised:
    """The same head, with the same parameter names, for inputs that `precompute` made."""
    return Featurised(nn.Identity(), model.head)


def split_last(model: nn.Module) -> Featurised:
    """The same function as ``model``, of which only the last linear layer learns.

    It shares ``model``'s modules: everything but that layer is frozen there too, and training
    the head trains ``model``, whose own state dict can then be saved.

    Args:
        model: an `nn.Sequential` that ends in an `nn.Linear`, however deeply nested; or a
            `Featurised` whose head does.

    Raises:
        BadInput: the last module is something else.
    """
    body, last = _split(model)
    features = nn.Sequential(*body)
    return Featurised(as_foreign(features) if isinstance(model, Foreign) else features, last)


def _split(module: nn.Module) -> tuple[list[nn.Module], nn.Linear]:
    """What runs before the last linear layer, in order, and that layer."""
    if isinstance(module, nn.Linear):
        return [], module
    if isinstance(module, Featurised):
        body, last = _split(module.head)
        return [module.features, *body], last
    # A Sequential with a forward of its own need not run its modules in their order.
    if isinstance(module, nn.Sequential) and own_forward(module) is nn.Sequential.forward:
        parts = list(module)
        if parts:
            body, last = _split(parts[-1])
            return [*parts[:-1], *body], last
    raise BadInput(
        "only the last layer of an nn.Sequential that ends in nn.Linear can be split off; "
        f"this model ends in {type(module).__name__}"
    )
