"""The file of what a server sees of one client in one round: weights, update, public facts.

Tensors ``weights/NAME`` are those that the client was sent, buffers included, ``update/NAME`` what
it did to them; the safetensors metadata say, as text, what is public.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from defenses import BadInput
from reports.records import atomic
from victims.gradients.local_steps import LocalSteps

WEIGHTS, UPDATE = "weights/", "update/"
"""What the names of the two kinds of tensors start with."""
BATCH = "batch"
"""Name of the fact that a gradient is of so many examples."""


@dataclass(frozen=True)
class Told:
    """What is known of a client's training; None: it is not.

    Attributes:
        examples: that it has.
        batch: examples in each local step.
        lr: learning rate.
        epochs: passes over the examples.
        momentum: of its SGD.
        round: number of the round.
    """

    examples: int | None = None
    batch: int | None = None
    lr: float | None = None
    epochs: int = 1
    momentum: float = 0.0
    round: int | None = None

    @property
    def local(self) -> LocalSteps | None:
        """The local steps; None where too little is known, or where they are not all alike.

        Raises:
            BadInput: a number is out of its range.
        """
        if self.examples is None or self.batch is None or self.lr is None or self.epochs != 1:
            return None
        batch = min(self.batch, self.examples)
        if self.examples % batch:
            return None
        return LocalSteps(self.examples // batch, self.lr, batch, self.momentum)

    def facts(self) -> dict[str, str]:
        """The facts that are known, as a file's metadata hold them."""
        known = {
            "examples": self.examples,
            "local_batch_size": self.batch,
            "learning_rate": self.lr,
            "epochs": self.epochs,
            "momentum": self.momentum,
            "round": self.round,
        }
        return {k: str(v) for k, v in known.items() if v is not None}


def write_seen(
    path: Path,
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    told: Told,
    gradient: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the file whole, or not at all.

    Args:
        path: of the file; its folder is made where it is missing.
        before: the weights that the client was sent, by their names.
        after: those that it sent back; names that ``before`` lacks are passed over.
        told: what is public.
        gradient: the update, where it is a gradient itself; None: it is the difference of the
            weights, over the learning rate where that makes a gradient of it.

    Raises:
        BadInput: the two have no weights in common.
    """
    local, facts = told.local, told.facts()
    if gradient is not None:
        update = dict(gradient)
        facts |= {BATCH: str(told.batch)} if told.batch else {}
    else:
        shared = [k for k, v in after.items() if v.is_floating_point() and k in before]
        if not shared or any(after[k].shape != before[k].shape for k in shared):
            raise BadInput("what came back has other names or shapes than what was sent")
        update = {k: before[k].double() - after[k].double() for k in shared}
        if local is not None and local.steps == 1:
            update = {k: v / local.lr for k, v in update.items()}
            facts[BATCH] = str(local.batch)
        elif local is not None:
            facts |= {k: str(v) for k, v in local.facts().items()}
    tensors = {WEIGHTS + k: v for k, v in before.items()}
    tensors |= {UPDATE + k: v.float() for k, v in update.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        alone = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
        save_file(alone, scratch, facts)


def part_of(names: set[str], start: str) -> dict[str, str]:
    """Name of a parameter -> that of its tensor in the file, for one of the two kinds.

    Args:
        names: of all tensors in a file. A file without these kinds holds one of them alone, by
            the parameters' own names.
        start: `WEIGHTS` or `UPDATE`.
    """
    if not any(name.startswith((WEIGHTS, UPDATE)) for name in names):
        return {name: name for name in names}
    return {name.removeprefix(start): name for name in names if name.startswith(start)}


def holds_weights(path: Path) -> bool:
    """Whether a safetensors file holds the weights beside the update; False where none can be read.

    Args:
        path: of the file, which may be anything.
    """
    from safetensors import safe_open

    with contextlib.suppress(Exception), safe_open(path, framework="pt", device="cpu") as file:
        return any(name.startswith(WEIGHTS) for name in file.keys())  # noqa: SIM118
    return False
