"""Per-example gradients of a user's own model: by vmap where it is right, else one by one.

vmap raises on data-dependent control flow, on some recurrent layers and on autograd functions
without a rule, and need not be right elsewhere; a loop over the examples always is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from defenses import BadInput, preprocessing, stream
from defenses.eager import eager
from defenses.errors import one_line
from defenses.outer import Outer
from defenses.precision import full_precision
from defenses.randomness import seeded
from victims.gradients.logits_at import logits_at
from victims.gradients.vmapping import Loss, gradients_at

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERANCE = 1e-4
"""The share of a gradient's norm by which vmap and the loop may differ in float32."""

_agreed: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], bool]] = WeakKeyDictionary()


class Apart:
    """The gradients of a batch's examples, chunk by chunk.

    Each pass begins with the model's buffers as they are and works on copies, so that no example
    depends on those before it; what does not depend on examples (as the power iteration of a
    spectral norm) moves on once per batch, when `follow` is called.

    Args:
        model: see `victims.per_example_gradients`.
        loss: see `victims.per_example_gradients`.
        weights: parameters, as `victims.gradients.per_example.trainable_parameters` names them.
        fixed: other tensors, as `victims.gradients.per_example.frozen_parameters` names them.
        outer: see `victims.gradients.gradient_chunks`; the loop ignores it.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        weights: dict[str, Tensor],
        fixed: dict[str, Tensor],
        outer: Sequence[str] = (),
    ) -> None:
        self.model, self.loss, self.outer = model, loss, tuple(outer)
        self.weights, self.fixed = weights, fixed
        self.buffers = {k for k, _ in model.named_buffers()}
        self.left = fixed

    @full_precision()
    def gradients(self, views: Tensor, labels: Tensor) -> dict[str, Tensor | Outer]:
        """As `victims.gradients.vmapping.gradients_at`; ``views`` are left as they are.

        Raises:
            BadInput: the model cannot be differentiated, or takes up what it sees.
        """
        known = _agreed.setdefault(self.model, {})
        modes = tuple(m.training for m in self.model.modules())
        key = (views.shape[1:], views.dtype, views.device, self.outer, modes, *self.weights)
        if key not in known:
            known[key] = self._agree(views, labels)
        if known[key]:
            try:
                return self._map(views, labels)
            except Exception:  # vmap says what it cannot do by raising almost anything
                known[key] = False
        return self._loop(views, labels)

    @torch.no_grad()
    def follow(self) -> None:
        """Give the model's buffers the values that the last pass left."""
        for name in self.buffers:
            if not torch.equal(self.fixed[name], self.left[name]):
                self.fixed[name].copy_(self.left[name])

    def _map(self, views: Tensor, labels: Tensor) -> dict[str, Tensor | Outer]:
        """The gradients by vmap."""
        buffers = self._buffer_copies()
        with eager(self.model):
            grads = gradients_at(
                self.model, self.loss, self.weights, buffers, views.clone(), labels, self.outer
            )
        self.left = buffers
        return grads

    def _loop(self, views: Tensor, labels: Tensor) -> dict[str, Tensor | Outer]:
        """The gradients one after another."""
        rows = [self._alone(*example) for example in zip(views, labels, strict=True)]
        return {k: torch.stack([row[k] for row in rows]) for k in self.weights}

    def _alone(self, views: Tensor, label: Tensor) -> dict[str, Tensor]:
        """The gradient of one example, (K, ...) views of it, by reverse mode."""
        weights = {k: w.detach().requires_grad_() for k, w in self.weights.items()}
        buffers = self._buffer_copies()
        with torch.enable_grad(), eager(self.model):
            logits = logits_at(self.model, {**weights, **buffers}, views.clone())
            total = self.loss(logits, label.expand(len(views))) + preprocessing.take_penalty(
                self.model
            )
            grads = torch.autograd.grad(
                total, list(weights.values()), allow_unused=True, materialize_grads=True
            )
        self.left = buffers
        return dict(zip(weights, grads, strict=True))

    def _buffer_copies(self) -> dict[str, Tensor]:
        """What is fixed, of which a pass may change the buffers."""
        return {k: v.clone() if k in self.buffers else v for k, v in self.fixed.items()}

    def _agree(self, views: Tensor, labels: Tensor) -> bool:
        """Whether vmap gives what the loop gives, on two examples."""
        two = views[:2] if len(views) > 1 else torch.cat([views, 1 - views])
        names = labels[:2] if len(labels) > 1 else labels.repeat(2)
        first = self._try(two, names, 0)
        if not _close(first, self._try(two, names, 1)):  # it draws, together otherwise than alone
            with eval_mode(self.model):
                first = self._try(two, names, 0)
                if _close(first, self._try(two, names, 1)):
                    return self._equals(first, two, names)
        return self._equals(first, two, names)

    def _equals(self, alone: dict[str, Tensor], views: Tensor, labels: Tensor) -> bool:
        """Whether vmap gives what the examples gave alone."""
        try:
            with seeded(stream(0, "apart", "vmap")):
                grads = self._map(views, labels)
        except Exception:  # see `gradients`
            return False
        dense = {k: v.dense() if isinstance(v, Outer) else v for k, v in grads.items()}
        return _close(alone, dense)

    def _try(self, views: Tensor, labels: Tensor, time: int) -> dict[str, Tensor]:
        """`_loop` with the draws of one time, once it is known to work.

        Raises:
            BadInput: see `gradients`.
        """
        rows, left = [], []
        try:
            with seeded(stream(0, "apart", time)):
                for example in zip(views, labels, strict=True):
                    rows.append(self._alone(*example))
                    left.append(self.left)
        except BadInput:
            raise
        except Exception as error:  # a model of the user's own may say anything
            said = f"{type(error).__name__}: {one_line(error, 200)}"
            raise BadInput(f"the model has no gradient for one example: {said}") from error
        for name in self.buffers:
            one, other = (buffers[name].double() for buffers in left)
            if not torch.allclose(one, other, equal_nan=True):
                raise BadInput(
                    f"the model's buffer {name!r} takes up the examples that pass, so that what "
                    "one of them does cannot be bounded: use a layer without running statistics"
                )
        return {k: torch.stack([row[k] for row in rows]) for k in self.weights}


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """The model in eval mode; afterwards every module in its own again."""
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _close(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two gradients agree up to `TOLERANCE`."""
    whole = float(torch.stack([v.detach().double().norm() for v in one.values()]).norm())
    return all(
        float((one[k] - other[k]).double().norm())
        <= TOLERANCE * (float(one[k].double().norm()) + 1e-3 * whole)
        or torch.allclose(one[k], other[k], equal_nan=True)
        for k in one
    )
