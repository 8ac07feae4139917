"""What acts before the gradient: the victim's side of it, and the adversary's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from attacks.invert.before.undo import undone
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import Guess, Inversion, Loss, Threat
from attacks.invert.matching.clock import Clock
from defenses import BadInput, Defense, Gradients, Release, preprocessing
from defenses.randomness import seeded

Taker = Callable[[nn.Module, Loss, Tensor, Tensor], Gradients]
"""(model, loss, images, labels) -> per-example gradients."""


@contextmanager
def drawing(model: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Modules that draw from torch's global generator draw from this one in here."""
    if not preprocessing.draws(model):
        yield
        return
    with seeded(generator):
        yield


def exposed(
    take: Taker,
    model: nn.Module,
    loss: Loss,
    defense: Defense,
    images: Tensor,
    labels: Tensor,
    *,
    generator: torch.Generator,
) -> Gradients:
    """Per-example gradients of private images as the defense shows them, name -> (B, *shape).

    Args:
        take: how gradients are taken.
        model: fitted to the defense, its drawing modules in training mode.
        loss: the victim's.
        defense: in use.
        images: (B, C, H, W) in [0, 1].
        labels: (B,).
        generator: of what the defense draws before the gradient; untouched where it does not.
    """
    seen = preprocessing.random_views(defense, images, generator)
    with drawing(model, generator):
        return take(model, loss, seen, labels)


def placed(
    lineup: Lineup,
    release: Release,
    threat: Threat,
    own: Gradients,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    clock: Clock | None = None,
) -> int:
    """`Lineup.rank` by an adversary who also knows what acts before the gradient.

    Args:
        lineup: of the model that is fitted to the defense.
        release: of a batch of one example.
        threat: ``defense`` and ``adaptive`` are used.
        own: the private example's gradient, as the victim took it.
        images: (1, C, H, W), the private one.
        labels: (1,).
        generator: breaks ties; draws for a naive adversary whose model draws.
        clock: see `Lineup.rank`.
    """
    if not preprocessing.stages(threat.defense):
        return lineup.rank(release, threat, own, generator=generator, clock=clock)
    if threat.adaptive:
        model, release = preprocessing.solve(threat.defense, lineup.model, release)
        if model is not lineup.model:
            lineup = dataclasses.replace(lineup, model=model)
    with drawing(lineup.model, generator):
        own = lineup.gradients(images, labels)
        return lineup.rank(release, threat, own, generator=generator, clock=clock)


def attacked(
    attack: Inversion,
    model: nn.Module,
    loss: Loss,
    release: Release,
    threat: Threat,
    *,
    generator: torch.Generator,
) -> Guess:
    """`Inversion.reconstruct` by an adversary who also knows what acts before the gradient.

    An adaptive one fixes the model's draws where the release tells them, rebuilds images as the
    model saw them, with the prior of images so shown, and undoes that in the end. A naive one
    rebuilds with the model as it is: modules that draw go on drawing, at every evaluation anew.

    Raises:
        BadInput: the release holds NaN or infinite values: no attack on it says anything; or it
            is not of the model's parameters and their shapes.
    """
    defense, own = threat.defense, threat
    if not all(bool(torch.isfinite(value).all()) for value in release.update.values()):
        raise BadInput("the update holds NaN or infinite values: there is nothing to attack")
    _refuse_other_shapes(model, release)
    if threat.adaptive and preprocessing.stages(defense):
        model, release = preprocessing.solve(defense, model, release)
        auxiliary = preprocessing.random_views(defense, threat.auxiliary_images, generator)
        own = dataclasses.replace(threat, auxiliary_images=auxiliary)
    with drawing(model, generator):
        guess = attack.reconstruct(model, loss, release, own, generator=generator)
    if not threat.adaptive or preprocessing.ways(defense) == 1:
        return guess
    auxiliary = threat.auxiliary_images.cpu()
    if guess.attack == "prior":  # which says nothing of this image: there is nothing to undo
        return dataclasses.replace(guess, images=auxiliary.mean(0).expand_as(guess.images).clone())
    return dataclasses.replace(guess, images=undone(defense, guess.images, auxiliary))


def _refuse_other_shapes(model: nn.Module, release: Release) -> None:
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}
    for name, value in release.update.items():
        if name in shapes and tuple(value.shape) != shapes[name]:
            raise BadInput(
                f"the update of {name!r} has shape {tuple(value.shape)}; the parameter's is "
                f"{shapes[name]}: a release sums over the examples"
            )
