"""Writes a run's weights as a file that `victims.load_model` takes."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from reports.records import atomic
from victims.data.people import looks, pack
from victims.training.ledger import Part
from victims.training.prepare import Prepared


def write_weights(run: Prepared, path: Path, *, averaged: bool = True) -> Path:
    """Write the model's state dict, and beside it what the weights have spent.

    Args:
        run: a run, whose trainer may be at any step.
        path: a safetensors file, written atomically.
        averaged: whether it is the moving average where there is one, rather than the weights in
            training.

    Returns:
        ``path``.
    """
    trainer, plan = run.trainer, run.trainer.plan
    state = {k: v.detach().cpu().clone() for k, v in run.model.state_dict().items()}
    if averaged:
        # By identity, for frozen features change the names.
        names = {id(p): k for k, p in run.model.named_parameters()}
        for name, value in trainer.evaluated_weights().items():
            state[names[id(trainer.parameters[name])]] = value.cpu().clone()
    training, ledger = plan.training, plan.ledger(trainer.step)
    # Whoever has an image could ask a look whether it was private: a secure run writes none.
    seen = "" if training.secure else pack(looks(run.train.images))
    latest = Part(training.data, seen, ledger[-1], training.sampling == "poisson")
    facts = {
        "training": training.document(),
        "ledger": ledger,
        "parts": [part.document() for part in (*run.past.parts, latest)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file(state, scratch, {"facts": json.dumps(facts)})
    return path
