"""Builds the training steps that the speed benchmark times: of plain SGD, ours, and Opacus'."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import defenses
from defenses.randomness import seed_of
from victims.gradients.implicit_gradients import ImplicitGradients
from victims.models import load_model

Step = Callable[[], None]

RATE, CLIP, SIGMA = 0.1, 1.0, 1.0
"""Learning rate, clipping norm and noise multiplier of every contender."""

OURS = {"ours dpsgd": ("dpsgd", {}), "ours dprs 0.9": ("dprs", {"rate": 0.9})}
OPACUS = {"Opacus hooks": "hooks", "Opacus functorch": "functorch", "Opacus ghost": "ghost"}
PLAIN = "plain SGD"
NAMES = (PLAIN, *OURS, *OPACUS)
"""Contenders on any device."""

CUDA_ONLY = tuple(f"{n}, {how}" for n in (PLAIN, *OURS) for how in ("channels-last", "compiled"))


def prepare(name: str, model: str, batch: int, device: str, seed: int, edge: int = 32) -> Step:
    """One contender's step on its own copy of the model, with the same images for all.

    Args:
        name: one of `NAMES` or `CUDA_ONLY`.
        model: see `victims.load_model`; of RGB images of 10 classes.
        batch: the number of images per step.
        device: cpu or cuda.
        seed: the seed of weights, images, labels and noise.
        edge: of the images, in pixels.

    Raises:
        Exception: whatever Opacus or the compiler say of a model they cannot take.
    """
    draw = defenses.stream(seed, "bench")
    net = load_model(model, image_shape=(3, edge, edge), generator=draw).to(device).train()
    return prepare_net(name, net, *draw_examples(batch, edge, device, draw), draw)


def draw_examples(
    batch: int, edge: int, device: str, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(B, 3, edge, edge) random images in [0, 1], and (B,) labels of 10 classes."""
    images = torch.rand(batch, 3, edge, edge, generator=draw)
    return images.to(device), torch.randint(10, (batch,), generator=draw).to(device)


def prepare_net(
    name: str, net: nn.Module, images: Tensor, labels: Tensor, draw: torch.Generator
) -> Step:
    """The step of a contender on this very model and these images; see `prepare`."""
    base, _, how = name.partition(", ")
    if how == "channels-last":
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if base in OPACUS:
        return _opacus(net, OPACUS[base], images, labels)
    run: Any = torch.compile if how == "compiled" else _identity
    if base == PLAIN:
        return _plain(run(net), images, labels)
    defense, options = OURS[base]
    return _ours(net, run, defense, options, images, labels, draw)


def _identity(what: Any) -> Any:
    """What is not compiled."""
    return what


def _plain(net: nn.Module, images: Tensor, labels: Tensor) -> Step:
    """A step of plain SGD."""
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)

    def step() -> None:
        cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _ours(
    net: nn.Module,
    run: Any,
    name: str,
    options: dict[str, Any],
    images: Tensor,
    labels: Tensor,
    draw: torch.Generator,
) -> Step:
    """A step of ours, as the trainer takes it; an epoch's mask is drawn before."""
    side = defenses.Side(mask_seed=seed_of(0, "bench"))
    defense = defenses.get(name, clip=CLIP, noise_multiplier=SIGMA, **options).informed(side)
    assert isinstance(defense, defenses.Summed)
    parameters = dict(net.named_parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    gradients = ImplicitGradients(net, cross_entropy, images, labels)
    contribute = run(defense.contribute)

    def step() -> None:
        plan = defense.plan(parameters, step=0, steps=1, generator=draw)
        total: dict[str, Tensor] = {}
        for grads in gradients.chunks(images, labels):
            for key, value in contribute(grads, plan).items():
                total[key] = total[key].add_(value) if key in total else value
        release = defense.finish(total, plan, batch_size=len(images), generator=draw)
        for key, parameter in parameters.items():
            parameter.grad = release.update[key]
        optimizer.step()
        optimizer.zero_grad()

    return step


def _opacus(net: nn.Module, mode: str, images: Tensor, labels: Tensor) -> Step:
    """A step of Opacus in one of its modes."""
    from opacus.grad_sample.utils import wrap_model
    from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    warnings.filterwarnings("ignore", "Full backward hook is firing")  # Opacus means it so
    clipping = {"max_grad_norm": CLIP} if mode == "ghost" else {}
    # Not strict: it refuses buffers, and the constants of `Normalise` are harmless ones.
    wrapped = wrap_model(copy.deepcopy(net), mode, strict=False, **clipping)
    optimizer: Any = (DPOptimizerFastGradientClipping if mode == "ghost" else DPOptimizer)(
        torch.optim.SGD(wrapped.parameters(), lr=RATE),
        noise_multiplier=SIGMA,
        max_grad_norm=CLIP,
        expected_batch_size=len(images),
    )
    loss: Any = nn.CrossEntropyLoss()
    if mode == "ghost":
        loss = DPLossFastGradientClipping(wrapped, optimizer, loss)

    def step() -> None:
        loss(wrapped(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()  # last, for per-example gradients would weigh on the next contender

    return step
