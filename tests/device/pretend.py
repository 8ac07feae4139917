"""A device that is not there: it computes on the CPU, and refuses what a GPU refuses.

A mix-up of devices shows without a GPU, at the line that makes it. While `pretended` lasts,
``tensor.to("meta")`` gives tensors of this device: torch lets no other device's tensors through
its autograd on a machine that lacks it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "meta"
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
"""A GPU's tensor may be indexed by tensors that lie on the CPU."""
ARITHMETIC = "add sub rsub mul div floor_divide pow where eq ne lt le gt ge minimum maximum fmod"
"""Takes a single number that lies on the CPU; other operations on a GPU do not."""
COPIES = ("aten::copy_", "aten::_to_copy")
READ, THERE, BACK, CALLS = "numbers read", "to the device", "to the CPU", "calls"


class Far(Tensor):
    """A tensor of the pretended device; ``near`` holds its numbers."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> Far:
        made: Far = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=NAME,
        )
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})

    def __repr__(self, **options: Any) -> str:
        return f"Far({self.near!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            copied = Far(self.near.detach().clone()).requires_grad_(self.requires_grad)
            copied.__dict__.update({k: v for k, v in self.__dict__.items() if k != "near"})
            memo[id(self)] = copied
        found: Tensor = memo[id(self)]
        return found

    def tolist(self) -> Any:
        """As of a GPU's tensor, which torch copies for that."""
        return self.cpu().tolist()

    def new_tensor(self, *values: Any, **options: Any) -> Tensor:
        """As of a GPU's tensor; torch makes it past any mode."""
        return Far(self.near.new_tensor(*values, **options))

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        """Where ``data`` is set, the numbers go with it."""
        return self.detach()

    @data.setter
    def data(self, new: Far) -> None:
        Tensor.data.__set__(self, new)  # type: ignore[attr-defined]
        self.near = new.near


class Counting(TorchDispatchMode):
    """Counts in ``crossings`` what goes from one device to the other, as far as torch shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.crossings: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name
        # A view starts nothing; nor does what needs no tensor of the device.
        if not func.is_view and any(map(_far, tree_leaves((args, kwargs)))):
            self.crossings[CALLS] += 1
        if name == "aten::_local_scalar_dense" and _far(args[0]):
            self.crossings[READ] += 1
        elif name in COPIES:
            other = args[1] if name == "aten::copy_" else args[0]
            there = _far(args[0]) if name == "aten::copy_" else _asked(kwargs, args[0])
            if _far(other) != there:
                self.crossings[THERE if there else BACK] += 1
        return func(*args, **kwargs)


class _Pretending(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


def pretended() -> TorchDispatchMode:
    """While this lasts, the device `NAME` computes."""
    return _Pretending()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Crossings between the CPU and the device while this lasts, by `READ`, `THERE`, `BACK`.

    And what the device is called to do, by `CALLS`.
    """
    with Counting() as mode:
        yield mode.crossings


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the numbers, after the checks that a GPU makes."""
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    name = func._schema.name
    there = any(isinstance(t, Far) for t in tensors)
    if any(t.device.type == NAME and not isinstance(t, Far) for t in tensors):
        raise NotImplementedError(f"{name}: a tensor that was made past the pretended device")
    if kwargs.get("device") is not None:
        there = _asked(kwargs, None)
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if name not in COPIES:
        _refuse(func, name, tensors, args)
    if kwargs.get("generator") is not None and there:
        raise RuntimeError(f"{name}: expected a generator of the device, found one of the CPU")
    out = func(*tree_map(_near, args), **tree_map(_near, kwargs))
    if name.endswith("_") and args and isinstance(args[0], Tensor):
        return args[0]
    return tree_map(_wrapped, out) if there else out


def _refuse(func: Any, name: str, tensors: list[Tensor], args: Any) -> None:
    """Raise where a GPU would: tensors on both devices, but for numbers in arithmetic."""
    near = [t for t in tensors if not isinstance(t, Far)]
    if not near or len(near) == len(tensors):
        return
    if name in INDEXING and isinstance(args[0], Far):
        values = args[2] if len(args) > 2 else args[0]
        if isinstance(values, Far) or values.ndim == 0:
            return
    plain = name.removeprefix("aten::").removeprefix("_foreach_").rstrip("_")
    if plain in ARITHMETIC.split() and all(t.ndim == 0 for t in near):
        return
    raise RuntimeError(f"{name}: expected all tensors to be on the same device")


def _asked(kwargs: dict[str, Any], given: Any) -> bool:
    """Whether an operation gives a tensor of the device."""
    device = kwargs.get("device")
    return _far(given) if device is None else torch.device(device).type != "cpu"


def _far(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type != "cpu"


def _near(value: Any) -> Any:
    return value.near if isinstance(value, Far) else value


def _wrapped(value: Any) -> Any:
    return Far(value) if isinstance(value, Tensor) and not isinstance(value, Far) else value
