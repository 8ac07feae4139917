"""Reads any model that torch.fx can trace as a graph of layers with rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from attacks.invert.peeling.graph import Graph, Node
from attacks.invert.peeling.rules.contract import Call, Fed, NoRule, Shape, covers, rule_of
from attacks.invert.peeling.titles import title_of
from defenses.errors import one_line


def read_graph(model: nn.Module, image_shape: Shape) -> Graph:
    """The graph of a model; layers without a rule are in it, and say why.

    Args:
        model: logits (B, classes) from images (B, *image_shape); left as it is.
        image_shape: (C, H, W).

    Raises:
        NoRule: torch.fx cannot trace the model.
    """
    tracer = _Tracer()
    reader: _Reader | None = None
    names = {id(p): k for k, p in model.named_parameters() if p.requires_grad}
    like = next(model.parameters())
    probe = torch.full((1, *image_shape), 0.5, dtype=like.dtype, device=like.device)
    try:
        module = fx.GraphModule(model, tracer.trace(model))
        reader = _Reader(module, names)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            reader.run(probe)
    except Exception as error:  # a model of the user's own may say anything
        broke = tracer.broke if reader is None else reader.running
        said = f"{type(error).__name__}: {one_line(error, 200)}"
        raise NoRule(f"the model cannot be read as a graph: {broke}: {said}") from error
    if reader.logits is None:
        raise NoRule("the model cannot be read as a graph: what it gives is not one tensor")
    return Graph(_needed(reader.nodes, reader.logits), reader.image, reader.logits, module)


class _Tracer(fx.Tracer):
    """Looks into every module but those that a rule covers, and torch's own."""

    broke = "its own forward pass"
    """The innermost module in which tracing broke off."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return covers(m) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """See `torch.fx.Tracer`."""
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:
            if "broke" not in vars(self):
                self.broke = self.path_of_module(m)
            raise


class _Reader(fx.Interpreter):
    """Runs a traced model once and notes each layer that depends on the image."""

    def __init__(self, module: fx.GraphModule, parameters: Mapping[int, str]) -> None:
        super().__init__(module)
        self.parameters = parameters
        self.nodes: dict[str, Node] = {}
        self.image = ""
        self.logits: str | None = None
        self.running = ""

    def run_node(self, n: fx.Node) -> Any:
        """See `torch.fx.Interpreter`."""
        self.running = title_of(n, n.target)
        # A layer that works in place must not change what another one was fed.
        if n.op in ("call_module", "call_function", "call_method"):
            for fed in n.all_input_nodes:
                if isinstance(self.env[fed], Tensor):
                    self.env[fed] = self.env[fed].clone()
        result = super().run_node(n)
        if n.op == "placeholder" and not self.image:
            self.image = n.name
            self.nodes[n.name] = Node(n.name, "the image", None, (), tuple(result.shape[1:]))
        elif n.op == "output":
            given = n.args[0]
            if isinstance(given, fx.Node) and given.name in self.nodes:
                self.logits = given.name
        elif isinstance(result, Tensor | tuple) and not isinstance(result, torch.Size):
            self._note(n, result)
        return result

    def _note(self, n: fx.Node, result: Any) -> None:
        fed: list[fx.Node] = []

        def stand_in(value: fx.Node) -> Any:
            if value.name in self.nodes:
                fed.append(value)
                return Fed(len(fed) - 1)
            return self.env[value]

        arguments = fx.map_arg(n.args, stand_in)
        options = fx.map_arg(n.kwargs, stand_in)
        if not fed:  # a constant
            return
        inputs = tuple(node.name for node in fed)
        target: Any = n.target
        if n.op == "call_module":
            target = self.fetch_attr(str(n.target))
        title = title_of(n, target)
        if not isinstance(result, Tensor):
            missing = f"{title}: a layer that gives several tensors has no rule"
            self.nodes[n.name] = Node(n.name, title, None, inputs, (), missing)
            return
        shape = tuple(result.shape[1:])
        shapes = tuple(self.nodes[name].shape for name in inputs)
        call = Call(title, target, arguments, options, shapes, shape, self.parameters)
        try:
            node = Node(n.name, title, rule_of(call), inputs, shape, target=target)
        except NoRule as reason:
            node = Node(n.name, title, None, inputs, shape, str(reason), target)
        self.nodes[n.name] = node


def _needed(nodes: Mapping[str, Node], logits: str) -> dict[str, Node]:
    """The nodes on which the logits depend."""
    needed = {logits}
    for node in reversed(list(nodes.values())):
        if node.name in needed:
            needed.update(node.inputs)
    return {name: node for name, node in nodes.items() if name in needed}
