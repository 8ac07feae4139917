"""What an honest-but-curious server sees of a client, written while the client trains.

In a Flower app, one import and one line::

    from victims.capture import capture

    app = ClientApp(mods=[capture("seen", lr=0.1, momentum=0.9, batch=32)])

In plain PyTorch, around one's own training::

    from victims.capture import capture_training

    with capture_training("seen.safetensors", model, batch=8):
        loss.backward()

``python -m attacks.invert --observation FILE`` takes either file. Nothing else changes: the app
gets and sends what it got and sent before, to the last bit, and nothing random is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from victims.gradients.captured import Told, write_seen

if TYPE_CHECKING:
    from flwr.app import Context, Message

    Next = Callable[[Message, Context], Message]
    Mod = Callable[[Message, Context, Next], Message]

EXAMPLES = "num-examples"
"""What Flower's clients call the number of their examples, which they send with their weights."""
ROUND = "server-round"
"""What Flower's strategies call the number of the round."""


def capture(
    folder: str | Path,
    *,
    lr: float | None = None,
    batch: int | None = None,
    epochs: int = 1,
    momentum: float = 0.0,
    names: Sequence[str] | None = None,
) -> Mod:
    """A mod for Flower's ClientApp that writes what the server sees of each round's training.

    Put it first in ``mods``: it then sees what leaves the client, after what other mods clip and
    add. A round of a client becomes one file, ``round-R-client-N.safetensors``: the weights that
    the client was sent, its update, and what is public of it. Rounds are numbered by the server's
    configuration, as Flower's strategies send it, else one after another.

    Args:
        folder: for the files; made where it is missing.
        lr: learning rate of the client's plain SGD, where it is known. With ``batch`` and the
            number of examples in the client's metrics it tells the local steps; of a single step
            the update is then a gradient.
        batch: examples in each local step.
        epochs: passes over the examples.
        momentum: of the client's SGD.
        names: of the parameters, in their order, where messages hold arrays without names (those
            of a NumPyClient): ``list(net.state_dict())``.

    Returns:
        The mod. What cannot be written costs a warning, and never the client's training.
    """
    place = Path(folder)
    counts: dict[int, int] = {}

    def mod(message: Message, context: Context, call_next: Next) -> Message:
        before: dict[str, Tensor] = {}
        try:
            before = _arrays(message, names)
        except Exception as error:  # as below
            warnings.warn(f"capture wrote nothing: {error}", stacklevel=2)
        reply = call_next(message, context)
        if not before or reply.has_error():
            return reply
        try:
            after = _arrays(reply, names)
            if not after:  # an evaluation
                return reply
            client = int(context.node_id)
            counts[client] = counts.get(client, 0) + 1
            number = _number(message.content.config_records, ROUND) or counts[client]
            examples = _number(reply.content.metric_records, EXAMPLES)
            told = Told(examples, batch, lr, epochs, momentum, number)
            write_seen(place / f"round-{number}-client-{client}.safetensors", before, after, told)
        except Exception as error:  # whatever it is, the app goes on as it would without
            warnings.warn(f"capture wrote nothing: {error}", stacklevel=2)
        return reply

    return mod


@contextmanager
def capture_training(
    path: str | Path,
    model: nn.Module,
    *,
    lr: float | None = None,
    batch: int | None = None,
    examples: int | None = None,
    epochs: int = 1,
    momentum: float = 0.0,
) -> Iterator[None]:
    """Write what the block does to a model: its gradient, or the difference of its weights.

    Where the block leaves the weights alone, what it adds to ``.grad`` is the update, whether or
    not it clears ``.grad`` before its first backward pass; else the weights before minus those
    after it.

    Args:
        path: a safetensors file; replaced as a whole once the block has ended.
        model: that is trained.
        lr: see `capture`.
        batch: examples in each step, or in the gradient.
        examples: in all; by default one batch.
        epochs: see `capture`.
        momentum: see `capture`.

    Raises:
        ValueError: the block gave the model neither gradients nor other weights.
    """
    before = {k: v.detach().clone() for k, v in model.state_dict().items()}
    held = {k: None if p.grad is None else p.grad.clone() for k, p in model.named_parameters()}
    with _watch(model, held):
        yield
    after = {k: v.detach() for k, v in model.state_dict().items()}
    moved = [k for k, p in model.named_parameters() if not bool((p == before[k]).all())]
    gradient: dict[str, Tensor] | None = None
    if not moved:
        gradient = {}
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                earlier = held[name]
                gradient[name] = parameter.grad - (0 if earlier is None else earlier)
        if not any(bool(g.any()) for g in gradient.values()):
            raise ValueError("the model has no new gradient and its old weights: nothing is seen")
    told = Told(examples or batch, batch, lr, epochs, momentum)
    write_seen(Path(path), before, after, told, gradient)


@contextmanager
def _watch(model: nn.Module, held: dict[str, Tensor | None]) -> Iterator[None]:
    """Note in ``held`` what each ``.grad`` holds when the first backward pass comes to add to it.

    ``zero_grad`` may have cleared what was there when the block began. A hook that returns nothing
    changes no gradient.
    """
    named = [(k, p) for k, p in model.named_parameters() if p.requires_grad]
    first = {name for name, _ in named}

    def note(name: str, parameter: Tensor) -> None:
        if name in first:
            first.discard(name)
            held[name] = None if parameter.grad is None else parameter.grad.clone()

    hooks = [p.register_hook(lambda _, k=k, p=p: note(k, p)) for k, p in named]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _arrays(message: Message, names: Sequence[str] | None) -> dict[str, Tensor]:
    """The first arrays in a message, copied, by the names of parameters; none where it has none."""
    records = message.content.array_records
    if not records:
        return {}
    found = next(iter(records.values())).to_torch_state_dict()
    values = [value.detach().clone() for value in found.values()]
    return dict(zip(found if names is None else names, values, strict=True))


def _number(records: Mapping[str, Mapping[str, Any]], name: str) -> int | None:
    """The first positive number of this name in a message's records."""
    for record in records.values():
        value = record.get(name)
        if isinstance(value, int | float) and value >= 1:
            return int(value)
    return None
