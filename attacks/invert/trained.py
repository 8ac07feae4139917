"""A training run's step as a Scenario: its weights, its defense at that moment, its members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from defenses import BadInput
from defenses.registry import shown_options
from victims import checkpoint as store
from victims import runs
from victims.export import write_weights
from victims.planning import plan
from victims.training import Training


def steps_of(folder: Path) -> int:
    """How many steps the run in ``folder`` has; see `fields_at` for errors."""
    training, examples = _training(folder)
    return plan(training, examples).steps


def fields_at(folder: Path, step: int, **context: Any) -> dict[str, Any]:
    """Fields of a `Scenario` that attacks the run in ``folder`` before its step ``step``.

    The weights are written to ``folder/states`` once, trained again from the nearest checkpoint.
    The private images are members: the first ones of the run's own training data. The defense
    has the noise and the rate of that step. The batch is the attack's own, by default one
    example: what an adversary sees who knows all others in the batch and subtracts them.

    Args:
        folder: of ``python -m victims.train``.
        step: 0 is before the first one; at the last one there is the finished model.
        context: ``device``, ``data_root``, ``report`` of `victims.preparing.prepare`.

    Raises:
        BadInput: no run in ``folder``, or a step that it does not have.
    """
    training, examples = _training(folder)
    made = plan(training, examples)
    if not 0 <= step <= made.steps:
        raise BadInput(f"step is {step}; the run in {folder} has steps 0 to {made.steps}")
    weights = folder / "states" / f"step-{step:06d}.safetensors"
    if not weights.exists():
        reached = runs.at_step(folder, step, **context)
        write_weights(reached.trainer, weights, averaged=False)
    shield = made.defense.at(min(step, made.steps - 1), made.steps)
    return {
        "data": training.data,
        "size": training.size,
        "layers": training.layers,
        "split": "train",
        "model": training.model,
        "state": str(weights),
        "step": step,
        "defense": training.defense,
        "defense_options": shown_options(shield),
        "against": (),
        "delta": training.delta,
        "seed": training.seed,
    }


def _training(folder: Path) -> tuple[Training, int]:
    """The run's settings and how many private examples it has."""
    path = folder / store.LATEST
    if not path.exists():
        raise BadInput(f"{folder} holds no training run (no {store.LATEST})")
    found = store.read(path)
    try:
        training = Training(**found.training)
    except TypeError as error:
        raise BadInput(f"{path} was written by another version: {error}") from error
    _, rate, _ = found.ledger[-1]
    return training, round(training.batch_size / rate)
