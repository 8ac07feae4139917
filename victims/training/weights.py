"""A run's weights as a file that `victims.load_model` takes."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from reports.records import atomic
from victims.data.people import looks, packed
from victims.training.ledger import Part
from victims.training.trainer import Trainer


def write_weights(trainer: Trainer, path: Path, *, averaged: bool = True) -> Path:
    """The model's state dict, which `load_model` takes, with what it has spent; returns ``path``.

    Args:
        trainer: a run at any step.
        path: a safetensors file, written atomically.
        averaged: the moving average where there is one, rather than the weights in training.
    """
    state = {k: v.detach().cpu().clone() for k, v in trainer.whole.state_dict().items()}
    if averaged:
        # By identity, for frozen features change the names.
        names = {id(p): k for k, p in trainer.whole.named_parameters()}
        for name, value in trainer.evaluated().items():
            state[names[id(trainer.parameters[name])]] = value.cpu().clone()
    made = trainer.plan
    told = made.training
    # Whoever has an image could ask a look whether it was private: a secure run writes none.
    seen = "" if told.secure else packed(looks(trainer.people))
    own = Part(told.data, seen, made.ledger(trainer.step)[-1], told.sampling == "poisson")
    facts = {
        "training": told.document(),
        "ledger": made.ledger(trainer.step),
        "parts": [part.document() for part in (*trainer.past.parts, own)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file(state, scratch, {"facts": json.dumps(facts)})
    return path
