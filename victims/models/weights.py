"""Reads weights from files, as they come from Opacus, from parallel and from compiled training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from defenses import BadInput
from defenses.errors import one_line
from victims.gradients.captured import WEIGHTS, part_of

Kept = TypeVar("Kept")
WRAPPERS = frozenset({"_module", "module", "_orig_mod"})
"""Parts of parameters' names that Opacus, DataParallel and torch.compile put in."""
PICKLED = (".pt", ".pth", ".bin")
INSIDE = ("state_dict", "model_state_dict", "model")
"""Under which checkpoints keep a state dict."""
FIRST = "1."
"""Before the names of a network that stands behind its normalisation."""


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, by name.

    Args:
        path: safetensors, or a state dict by ``torch.save`` (``.pt``, ``.pth``, ``.bin``), which
            is read with ``weights_only=True``: nothing in it is run.

    Raises:
        BadInput: it is neither.
    """
    if path.suffix in PICKLED:
        return _read_pickle(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"{path} is not a readable safetensors file: {one_line(error, 300)}"
        ) from error
    return {name: state[place] for name, place in part_of(set(state), WEIGHTS).items()}


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of the file system, of zip and of pickle
        raise BadInput(
            f"{path} holds more than a state dict, or is damaged, and nothing else is read: "
            f"torch.save(model.state_dict(), path) writes one ({one_line(error, 120)})"
        ) from error
    for name in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise BadInput(f"{path} is no state dict: torch.save(model.state_dict(), path) writes one")
    return {str(name): value for name, value in found.items()}


def fit_names(state: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The state under the names that a model wants, where wrappers alone set them apart.

    Args:
        state: as it was read.
        wanted: names of the model's state dict.

    Returns:
        The same tensors, renamed if that makes every name fit; else ``state``.
    """
    for names in (state, unwrap(state)):
        for before in ("", FIRST):
            renamed = {before + k: v for k, v in names.items()}
            missing = set(wanted) - renamed.keys()  # the first layer's own are no parameters
            whole = not missing or (before and all(k.startswith("0.") for k in missing))
            if len(renamed) == len(state) and renamed.keys() <= set(wanted) and whole:
                return renamed
    return state


def unwrap(named: Mapping[str, Kept]) -> dict[str, Kept]:
    """The same by names without those of `WRAPPERS`; two that become one are one too few."""
    return {".".join(p for p in k.split(".") if p not in WRAPPERS): v for k, v in named.items()}
