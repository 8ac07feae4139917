"""Keeps float32 whole: a GPU may shorten the numbers that it multiplies to 10 bits (TF32).

torch lets it do so in convolutions unless told otherwise. A gradient is then off by a thousandth,
and a bound on what one example does, or the match of a replayed release, is off by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch


class _Switch(NamedTuple):
    """One of torch's switches, and the value that shortens nothing."""

    get: Callable[[], Any]
    set: Callable[[Any], None]
    whole: Any


@contextmanager
def full_precision() -> Iterator[None]:
    """While this lasts, products and convolutions of float32 are of float32, on every device.

    Afterwards torch's switches, which are the whole process's, stand as the user has set them.
    Decorates a function, too. What `torch.compile` compiles is left as it is.
    """
    if torch.compiler.is_compiling():
        yield
        return
    before = [(s, value) for s in _SWITCHES if (value := _read(s)) is not None]
    for switch, value in before:
        if value != switch.whole:
            switch.set(switch.whole)
    try:
        yield
    finally:
        for switch, value in before:
            if _read(switch) != value:
                switch.set(value)


def _read(switch: _Switch) -> Any:
    """A switch's value; None where torch does not tell, for a newer one has been set since."""
    try:
        return switch.get()
    except RuntimeError:
        return None


def _attribute(owner: Any, name: str, whole: Any) -> _Switch:
    return _Switch(partial(getattr, owner, name), partial(setattr, owner, name), whole)


def _switches() -> Iterator[_Switch]:
    """The switches that torch has; the older ones, which set the newer, first."""
    backends: Any = torch.backends
    yield _attribute(backends.cudnn, "allow_tf32", False)
    matmul = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    yield _Switch(*matmul, "highest")
    for library in (backends.cudnn, backends.cuda, backends.mkldnn):
        for kind in ("conv", "rnn", "matmul"):
            owner = getattr(library, kind, None)
            if hasattr(owner, "fp32_precision"):
                yield _attribute(owner, "fp32_precision", "ieee")


_SWITCHES = tuple(_switches())
