"""Objects of the caller's, under names by which a Scenario can say them.

``leakgauge.given:model_1f2e`` is the model with these weights: the digest in the name stands for
what it holds, so that another model is another Scenario.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

LETTERS = 12


def keep_model(model: nn.Module) -> str:
    """The spec of a module: its class, and digits of its weights and buffers."""
    hashed = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__}".encode())
    hashed.update(repr(model).encode())
    for name, value in model.state_dict().items():
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        hashed.update(value.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return _keep("model", hashed.hexdigest(), model)


def keep_data(pair: Any, auxiliary: Any = None) -> str:
    """The spec of (images, labels), whose splits are: the private ones, and the adversary's own.

    Args:
        pair: private, see `victims.data.trust.adopt` for what is understood.
        auxiliary: the adversary's own; None: every other one of ``pair``.

    Raises:
        BadInput: either is no such pair.
    """
    import torch

    from leakgauge.glance import load

    adopt, digest = load("victims.data.trust:adopt"), load("victims.data:digest")
    private = adopt(pair, "data")
    if auxiliary is None:
        order = torch.arange(len(private.labels))
        private, own = private.take(order[::2]), private.take(order[1::2])
    else:
        own = adopt(auxiliary, "auxiliary")

    def splits(split: str) -> Any:
        return private if split == "test" else own

    return _keep("data", digest(private, own), splits)


def _keep(kind: str, digits: str, given: Callable[..., Any]) -> str:
    name = f"{kind}_{digits[:LETTERS]}"
    setattr(sys.modules[__name__], name, given)
    return f"{__name__}:{name}"
