"""Lets a defense change the model and the images before there is a gradient.

A defense does so in its stages that are a `Before`, in their order; every function here asks all
of them, and changes nothing for a defense that has none.
"""

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


def equip(defense: Defense, model: nn.Module, generator: torch.Generator) -> nn.Module:
    """The model that is trained under a defense: `Before.equip` of every stage, in order.

    Args:
        defense: any.
        model: logits from images; left as it is.
        generator: of the new weights.

    Raises:
        BadInput: the model has no place for what a stage adds.
    """
    for stage in stages(defense):
        model = stage.equip(model, generator)
    return model


def solve(defense: Defense, model: nn.Module, release: Release) -> tuple[nn.Module, Release]:
    """The model and the release that an adversary matches who knows the defense.

    `Before.solve` of every stage fixes the model's draws. Where the defense handles every
    parameter for itself, the parameters whose gradients tell nothing more after that are frozen
    in the model and left out of the release, so that they do not drown the others.

    Args:
        defense: the victim's.
        model: equipped for the defense.
        release: of a batch under that model.
    """
    used: set[str] = set()
    for stage in stages(defense):
        model, names = stage.solve(model, release, defense.noise(release))
        used |= names
    apart = isinstance(defense, Summed) and defense.linear and getattr(defense, "apart", True)
    if not used or not apart:
        return model, release
    for name in used:
        model.get_parameter(name).requires_grad_(False)
    rest = {k: v for k, v in release.update.items() if k not in used}
    return model, dataclasses.replace(release, update=rest)


def ways(defense: Defense) -> int:
    """The number of ways, equally likely, in which all stages together show an image."""
    count = 1
    for stage in stages(defense):
        count *= stage.ways()
    return count


def view(defense: Defense, images: Tensor, way: int) -> Tensor:
    """Images (B, C, H, W) in [0, 1] as the model sees them in one of the `ways` of all stages."""
    for stage in stages(defense):
        way, own = divmod(way, stage.ways())
        images = stage.view(images, own)
    return images


def random_views(defense: Defense, images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (B, C, H, W) as the model sees them, each in a way drawn for that image alone.

    Args:
        defense: any.
        images: values in [0, 1].
        generator: untouched where there is only one way.
    """
    count = ways(defense)
    if count == 1 or not len(images):
        return images
    drawn = torch.randint(count, (len(images),), generator=generator).tolist()
    each = zip(images.split(1), drawn, strict=True)
    return torch.cat([view(defense, image, way) for image, way in each])


def penalises(model: nn.Module) -> bool:
    """Whether a module of the model has, or may have, a term for the loss in ``penalty``."""
    return any("penalty" in vars(module) for module in model.modules())


def take_penalty(model: nn.Module) -> Tensor | float:
    """The sum of the terms that modules of a model want added to the loss of their last pass.

    Each module's term is taken away from it, so that no term is added to the loss of another
    pass. 0 where no module has a term.
    """
    total: Tensor | float = 0.0
    for module in model.modules():
        # Asked of every module at every pass: a module's own getattr takes ten times as long.
        if isinstance(penalty := vars(module).get("penalty"), Tensor):
            total = total + penalty
            vars(module)["penalty"] = None
    return total


def draws(model: nn.Module) -> bool:
    """Whether a module of the model draws at random (see `Before.equip`)."""
    return any(getattr(module, "draws", False) for module in model.modules())


def let_draw(model: nn.Module) -> nn.Module:
    """The same model, with the modules that draw at random in training mode."""
    for module in model.modules():
        if getattr(module, "draws", False):
            module.train()
    return model
