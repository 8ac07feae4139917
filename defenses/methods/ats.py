"""Augmentation against inversion, after ATS (Gao et al. 2021, CVPR, arXiv 2011.12505)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from defenses.bases.before import Before
from defenses.contract import registry
from defenses.errors import BadInput
from defenses.options import option

FARTHEST = 150 / 331
"""Share of the image's edge that ``translate..9`` moves it by."""
STRONGEST = 0.5
"""By how much ``contrast9`` and its like change a factor of 1."""
LUMA = (0.299, 0.587, 0.114)


@registry.register("ats")
@dataclass(frozen=True)
class ATS(Before):
    """The mean gradient of images that went through a policy of strong augmentations.

    A policy is a list of steps, each a name and a strength from 0 to 9 as in AutoAugment
    (``translateX``, ``translateY``, ``contrast``, ``brightness``, ``color``, ``invert``), joined
    by ``-``; several policies are joined by ``+``. For every example one policy is drawn, and for
    every step its direction. The default are the two policies published for CIFAR-100, 3-1-7 and
    43-18-18, as their code applies them; searching for others is not part of this.

    Guarantee: none. Known attack: only the image is hidden, not its augmented version. The
    gradient is that of an ordinary image and is inverted like one (Balunovic et al. 2022, who
    find the defense worth little, most of all early in training); then the augmentation is
    undone, in the way that gives the likeliest image, for the policy is public and its ways are
    few. What was moved out of the frame is left to the prior.
    """

    policy: str = option(
        "translateX9-contrast6-translateY2+translateY3-contrast7-contrast7",
        "steps joined by -, policies by +; a step is translateX, translateY, contrast, "
        "brightness, color or invert, and its strength 0 to 9",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.policies()

    def policies(self) -> list[list[tuple[str, int]]]:
        """Steps, with their strengths, of each policy.

        Raises:
            BadInput: an unknown step, or a strength that is not a digit.
        """
        found = [
            [(word[:-1], word[-1:]) for word in part.split("-")] for part in self.policy.split("+")
        ]
        for name, strength in (step for part in found for step in part):
            if name not in STEPS or not strength.isdecimal():
                known = ", ".join(STEPS)
                raise BadInput(
                    f"policy has the step {name + strength!r}; known: {known}, "
                    "each followed by a strength from 0 to 9"
                )
        return [[(name, int(strength)) for name, strength in part] for part in found]

    def ways(self) -> int:
        """Policies, times two directions for every step of the longest one."""
        policies = self.policies()
        return len(policies) << max(len(steps) for steps in policies)

    def view(self, images: Tensor, way: int) -> Tensor:
        """See `Before.view`; the digits of ``way`` are the policy and each step's direction."""
        policies = self.policies()
        way, chosen = divmod(way, len(policies))
        for name, strength in policies[chosen]:
            way, down = divmod(way, 2)
            images = STEPS[name](images, (-1) ** down * strength / 9)
        return images


def translate_x(images: Tensor, much: float) -> Tensor:
    """Images moved to the right by a share of the width; black comes in from the left."""
    return _move(images, round(FARTHEST * much * images.shape[-1]), -1)


def translate_y(images: Tensor, much: float) -> Tensor:
    """Images moved down by a share of the height; black comes in from above."""
    return _move(images, round(FARTHEST * much * images.shape[-2]), -2)


def change_contrast(images: Tensor, much: float) -> Tensor:
    """Images moved away from their mean brightness, or towards it."""
    centre = grey(images).mean((1, 2, 3), keepdim=True)
    return (centre + (1 + STRONGEST * much) * (images - centre)).clamp(0, 1)


def change_brightness(images: Tensor, much: float) -> Tensor:
    """Images made brighter, or darker."""
    return ((1 + STRONGEST * much) * images).clamp(0, 1)


def change_colour(images: Tensor, much: float) -> Tensor:
    """Images moved away from grey, or towards it; grey ones stay as they are."""
    base = grey(images)
    return (base + (1 + STRONGEST * much) * (images - base)).clamp(0, 1)


def invert(images: Tensor, much: float) -> Tensor:
    """The negatives of images, whatever the strength."""
    return 1 - images


STEPS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "translateX": translate_x,
    "translateY": translate_y,
    "contrast": change_contrast,
    "brightness": change_brightness,
    "color": change_colour,
    "invert": invert,
}
"""Each takes images (B, C, H, W) in [0, 1] and a strength in [-1, 1]."""


def grey(images: Tensor) -> Tensor:
    """(B, 1, H, W) brightness."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    return (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _move(images: Tensor, pixels: int, dim: int) -> Tensor:
    size = images.shape[dim]
    pixels = max(-size, min(size, pixels))
    black = torch.zeros_like(images.narrow(dim, 0, abs(pixels)))
    if pixels >= 0:
        return torch.cat([black, images.narrow(dim, 0, size - pixels)], dim)
    return torch.cat([images.narrow(dim, -pixels, size + pixels), black], dim)
