"""Turns any registered defense into an Opacus ``DPOptimizer``, for training loops not ours."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

from opacus.optimizers import DPOptimizer
from torch import Tensor, nn

from defenses import BadInput, Defense, Side, preprocessing, with_effective_noise
from defenses.randomness import seed_of
from victims.defended_optimizer import DefendedOptimizer

__all__ = ["DefendedOptimizer", "defend"]


def defend(
    optimizer: DPOptimizer,
    model: nn.Module,
    defense: Defense,
    *,
    sample_rate: float,
    steps: int,
    seed: int | None = None,
) -> DefendedOptimizer:
    """Put a defense in the place of Opacus' own clipping and noise.

    Call it on what ``PrivacyEngine.make_private`` or ``make_private_with_epsilon`` returned; data
    loader, Poisson sampling, `BatchMemoryManager`, accounting and checkpoints stay Opacus'. The
    engine's clipping norm and noise multiplier replace the defense's own, where it has them, so
    that the engine's epsilon is true: the noise is scaled by the defense's sensitivity, and the
    accountant is told 0, hence epsilon infinity, for a defense that guarantees nothing (``rdp``
    says so; ``prv``, Opacus' default, raises OverflowError).

    Args:
        optimizer: the engine's optimizer.
        model: the engine's ``GradSampleModule``, which names the parameters.
        defense: a defense, registered or not; see `defenses.get`.
        sample_rate: probability with which each example is in a batch, 1 / len(data loader).
        steps: the number of steps of the run, for a schedule such as DPRS's.
        seed: the seed of noise and masks; None draws one from the operating system, as one should
            outside of experiments, for whoever knows the seed can subtract the noise. A step's
            noise is keyed by what the batch gives too, to the last bit: a run that is resumed
            with other batches, or repeated without somebody, meets other noise.

    Raises:
        BadInput: not an Opacus optimiser, or one of another model; a defense that acts on images,
            which an optimiser never sees, or on a model that it has not been put into.
    """
    _refuse(optimizer, model, defense)
    fields = {f.name for f in dataclasses.fields(defense)}
    if "clip" in fields:
        clipped: dict[str, Any] = {"clip": float(optimizer.max_grad_norm)}
        defense = dataclasses.replace(defense, **clipped)
    defense = with_effective_noise(defense, float(optimizer.noise_multiplier)) or defense
    chosen = secrets.randbits(256) if seed is None else seed
    masks = seed_of(chosen, "masks")
    memory: dict[str, Tensor] = {}
    defended = DefendedOptimizer(
        optimizer.original_optimizer,
        model,
        defense.informed(Side(sample_rate=sample_rate, mask_seed=masks, memory=memory)),
        steps=steps,
        expected_batch_size=optimizer.expected_batch_size,
        loss_reduction=optimizer.loss_reduction,
        seed=chosen,
        memory=memory,
    )
    if optimizer.step_hook is not None:
        defended.attach_step_hook(optimizer.step_hook)
    return defended


def _refuse(optimizer: object, model: nn.Module, defense: Defense) -> None:
    """Raise `BadInput` where the defense cannot stand in this optimizer, see `defend`."""
    if preprocessing.ways(defense) > 1:
        raise BadInput(
            f"defense {defense.name!r} changes images before the gradient: show them in your data "
            "loader (defenses.preprocessing.random_views) and leave it out here"
        )
    if preprocessing.stages(defense) and not preprocessing.draws(model):
        raise BadInput(
            f"defense {defense.name!r} changes the model: give the engine "
            "defenses.preprocessing.equip(defense, model, generator)"
        )
    if not isinstance(optimizer, DPOptimizer):
        raise BadInput(f"defend() takes Opacus' DPOptimizer, not {type(optimizer).__name__}")
    if type(optimizer) is not DPOptimizer:
        raise BadInput(
            f"defend() does not take the place of {type(optimizer).__name__}: ghost, per-layer and "
            "adaptive clipping and distributed training have rules of their own; give the engine "
            "grad_sample_mode 'hooks' or 'functorch', clipping='flat' and one process"
        )
    if optimizer.secure_mode:
        raise BadInput(
            "the engine asks for secure_mode=True, which defend() cannot give: its noise is not "
            "from a cryptographic generator; make the engine with secure_mode=False"
        )
