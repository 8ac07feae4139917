"""Writes the server's weights as a file that `victims.load_model` takes."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from reports.records import atomic
from victims.federated.local import put
from victims.federated.server import Server
from victims.federated.victim import Victim

NAME = "weights.safetensors"


def write_weights(victim: Victim, server: Server, folder: Path) -> Path:
    """Write the model's state dict with the server's weights. Returns the path."""
    put(victim.model, server.weights)
    state = {k: v.detach().clone() for k, v in victim.model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / NAME) as scratch:
        save_file(state, scratch)
    return folder / NAME
