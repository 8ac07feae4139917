"""A training run's step as a Scenario: its weights, its defense at that moment, its members."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from defenses import BadInput, preprocessing
from defenses.options import shown_options
from victims.training import checkpoint as store
from victims.training import run
from victims.training.plan import Plan, make_plan
from victims.training.weights import write_weights


def steps_of(folder: Path, code: Collection[str] = ()) -> int:
    """How many steps the run in ``folder`` has; `fields_at` has the arguments and errors."""
    return _plan(folder, code).steps


def fields_at(
    folder: Path, step: int, *, code: Collection[str] = (), **context: Any
) -> dict[str, Any]:
    """Fields of a `Scenario` that attacks the run in ``folder`` before its step ``step``.

    The weights are written to ``folder/states`` once, trained again from the nearest checkpoint.
    The private images are members: the first ones of the run's own training data. The defense
    has the noise and the rate of that step. The batch is the attack's own, by default one
    example: what an adversary sees who knows all others in the batch and subtracts them.

    Args:
        folder: of ``python -m victims.train``.
        step: 0 is before the first one; at the last one there is the finished model.
        code: specs of the run that are the user's own code, see `store.training_in`.
        context: ``device``, ``data_root``, ``report`` of `victims.training.prepare.prepare`.

    Raises:
        BadInput: no run in ``folder``, or a step that it does not have.
    """
    plan = _plan(folder, code)
    training = plan.training
    if not 0 <= step <= plan.steps:
        raise BadInput(f"step is {step}; the run in {folder} has steps 0 to {plan.steps}")
    weights = folder / "states" / f"step-{step:06d}.safetensors"
    if not weights.exists():
        reached = run.at_step(folder, step, code=code, **context)
        write_weights(reached, weights, averaged=False)
    defense = plan.defense.at(min(step, plan.steps - 1), plan.steps)
    return {
        "data": training.data,
        "size": training.size,
        "layers": training.layers,
        "split": "train",
        "model": training.model,
        "state": str(weights),
        "step": step,
        "defense": training.defense,
        "defense_options": shown_options(defense),
        # The positive control; weights of a model that the defense has changed fit no other.
        "against": () if preprocessing.stages(defense) or training.defense == "none" else ("none",),
        "delta": training.delta,
        "seed": training.seed,
    }


def _plan(folder: Path, code: Collection[str]) -> Plan:
    """The run's plan, the history of its starting weights included."""
    path = folder / store.LATEST
    if not path.exists():
        raise BadInput(f"{folder} holds no training run (no {store.LATEST})")
    checkpoint = store.read(path)
    training = store.training_in(checkpoint, path, code)
    *history, (_, rate, _) = checkpoint.ledger
    return make_plan(training, round(training.batch_size / rate), tuple(history))
