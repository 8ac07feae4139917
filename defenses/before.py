"""What a defense does before there is a gradient, all its stages together."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from defenses.bases.before import Before
from defenses.bases.summed import Summed
from defenses.chains.chain import Chain
from defenses.contract import Defense, Release


def stages(defense: Defense) -> list[Before]:
    """The parts of a defense that act before the gradient, in order."""
    parts = [stage for _, stage in defense.stages()] if isinstance(defense, Chain) else [defense]
    return [stage for stage in parts if isinstance(stage, Before)]


def fitted(defense: Defense, model: nn.Module, generator: torch.Generator) -> nn.Module:
    """`Before.fitted` of every stage; see there."""
    for stage in stages(defense):
        model = stage.fitted(model, generator)
    return model


def solved(defense: Defense, model: nn.Module, release: Release) -> tuple[nn.Module, Release]:
    """The model and the release that an adversary matches; both as they are for most defenses.

    `Before.solved` of every stage. What then tells nothing new is frozen in the model and left
    out of the release, so that the rest is not drowned in it, where the defense handles every
    parameter for itself.
    """
    told: set[str] = set()
    for stage in stages(defense):
        model, names = stage.solved(model, release, defense.noise(release))
        told |= names
    if not told or not (isinstance(defense, Summed) and defense.linear):
        return model, release
    for name in told:
        model.get_parameter(name).requires_grad_(False)
    left = {k: v for k, v in release.update.items() if k not in told}
    return model, dataclasses.replace(release, update=left)


def ways(defense: Defense) -> int:
    """In how many ways all stages together may show an image."""
    count = 1
    for stage in stages(defense):
        count *= stage.ways()
    return count


def shown(defense: Defense, images: Tensor, way: int) -> Tensor:
    """Images (B, C, H, W) as the model sees them, in one of the `ways` of all stages."""
    for stage in stages(defense):
        way, own = divmod(way, stage.ways())
        images = stage.shown(images, own)
    return images


def shown_at_random(defense: Defense, images: Tensor, generator: torch.Generator) -> Tensor:
    """Every image (B, C, H, W) in a way of its own; the images themselves where there is one."""
    count = ways(defense)
    if count == 1 or not len(images):
        return images
    drawn = torch.randint(count, (len(images),), generator=generator).tolist()
    each = zip(images.split(1), drawn, strict=True)
    return torch.cat([shown(defense, image, way) for image, way in each])


def drawing(model: nn.Module) -> nn.Module:
    """The same model, the modules that draw at random in training mode, the others as they are."""
    for module in model.modules():
        if getattr(module, "draws", False):
            module.train()
    return model


def penalty(model: nn.Module) -> Tensor | float:
    """What modules of the model want added to the loss of their last pass; each is asked once."""
    total: Tensor | float = 0.0
    for module in model.modules():
        asked = getattr(module, "penalty", None)
        if isinstance(asked, Tensor):
            total = total + asked
            setattr(module, "penalty", None)  # noqa: B010  (not every module declares it)
    return total


def draws(model: nn.Module) -> bool:
    """Whether a module of the model draws at random (see `Before.fitted`)."""
    return any(getattr(module, "draws", False) for module in model.modules())
