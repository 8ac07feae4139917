"""What people call a step of a traced model: where it stands among the model's modules."""

from __future__ import annotations

from typing import Any

from torch import fx


def title_of(n: fx.Node, target: Any) -> str:
    """``conv1`` for a module, ``relu in layer1.0`` for a function that a module calls.

    What the model itself calls has no module to stand in: ``getitem after encoder.ln``.
    """
    if n.op == "call_module":
        return str(n.target)
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    place = _module_around(n)
    if place:
        return f"{name} in {place}"
    return f"{name} after {_last_module(n) or 'the image'}"


def _module_around(n: fx.Node) -> str:
    """Path of the innermost module in whose forward pass a node stands; empty: the model's."""
    stack = n.meta.get("nn_module_stack") or {}
    inside = [str(path) for path, _ in stack.values()]
    return inside[-1] if inside else ""


def _last_module(n: fx.Node) -> str:
    """Path of the nearest module that a node depends on; empty where it has none."""
    waiting = list(n.all_input_nodes)
    seen = set(waiting)
    while waiting:
        below = waiting.pop(0)
        path = str(below.target) if below.op == "call_module" else _module_around(below)
        if path:
            return path
        fresh = [node for node in below.all_input_nodes if node not in seen]
        seen.update(fresh)
        waiting += fresh
    return ""
