"""Copies all that changes in a trainer into tensors by name, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from defenses import BadInput
from victims.training.trainer import Trainer


def state(trainer: Trainer) -> dict[str, Tensor]:
    """All that changes in a trainer, by name, copied to the CPU."""
    tensors = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.items()}
    tensors |= {f"start.{k}": v for k, v in trainer.start.items()}
    tensors |= {f"memory.{k}": v for k, v in trainer.memory.items()}
    for place, values in trainer.optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if value is not None:
                tensors[f"optimizer.{place}.{key}"] = torch.as_tensor(value)
    tensors["progress"] = torch.tensor([trainer.step, trainer.wire_bytes])
    return {k: v.detach().cpu().clone() for k, v in tensors.items()}


def restore(trainer: Trainer, saved: Mapping[str, Tensor]) -> None:
    """Let a trainer go on from a `state` of its run.

    Raises:
        BadInput: the state belongs to another model.
    """
    parts: dict[str, dict[str, Tensor]] = {k: {} for k in ("model", "average", "start", "memory")}
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in saved.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = value
        elif part == "optimizer":
            place, _, key = rest.partition(".")
            moments.setdefault(int(place), {})[key] = value.clone()
    try:
        trainer.model.load_state_dict(parts["model"])
        for name in trainer.parameters:
            trainer.average[name].copy_(parts["average"][name])
            trainer.start[name].copy_(parts["start"][name])
        trainer.step, trainer.wire_bytes = saved["progress"].tolist()
    except (RuntimeError, KeyError) as error:
        raise BadInput(f"the checkpoint does not fit the model: {error}") from error
    trainer.memory = {k: v.to(trainer.device) for k, v in parts["memory"].items()}
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": moments, "param_groups": groups})
