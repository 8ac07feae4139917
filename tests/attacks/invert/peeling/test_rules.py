"""Each rule of the peeling against autograd in float64, and the graphs that rules are read from."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import victims
from attacks.invert.peeling.counts import count
from attacks.invert.peeling.last_layer import refusal
from attacks.invert.peeling.rules.contract import NoRule, Routed, Weighted
from attacks.invert.peeling.trace import read_graph
from tests.conftest import seeded


class Functional(nn.Module):
    """Every spelling that is no module."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.branch = nn.Conv2d(3, 4, 1, stride=2)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = (x - 0.5) * 4 / torch.full((3, 1, 1), 2.0)
        y = F.max_pool2d(F.leaky_relu(self.conv(x), 0.1), 2)
        z = F.avg_pool2d(torch.relu(self.branch(x)), 2)
        both = F.adaptive_avg_pool2d(torch.cat([y, z], 1), (2, 1)).mean(3)
        return self.head(F.dropout(both, 0.5, self.training).view(x.size(0), -1)) - 1


def steps(model, shape):
    """Each node of a model's graph with its inputs' and its own values for random images."""
    graph = read_graph(model, shape)
    names = list(graph.nodes)
    images = torch.rand(2, *shape, generator=seeded(), dtype=torch.float64)
    values = dict(zip(names, graph.upto(names, torch.float64)(images), strict=True))
    for node in graph.nodes.values():
        if node.name != graph.image:
            yield node, [values[name] for name in node.inputs], values[node.name]


def chain(*layers):
    return nn.Sequential(*layers).double().eval()


def randomised(norm):
    norm.running_mean.normal_(generator=seeded())
    norm.running_var.uniform_(0.5, 2, generator=seeded())
    nn.init.normal_(norm.weight, generator=seeded())
    nn.init.normal_(norm.bias, generator=seeded())
    return norm


MODELS = {
    "functional": Functional().double().eval(),
    "convolutions": chain(
        nn.Conv2d(3, 5, 3, padding=1),
        randomised(nn.BatchNorm2d(5)),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 6, (3, 1), stride=(1, 2), dilation=(1, 1), padding=(0, 1)),
        nn.LeakyReLU(0.2),
        nn.Conv2d(6, 4, (1, 2), dilation=(1, 2), bias=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Identity(),
        nn.Dropout(),
        nn.Linear(16, 7),
        randomised(nn.BatchNorm1d(7)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_rule_pulls_slopes_as_autograd_does(name):
    model = MODELS[name]
    seen = set()
    for node, fed, given in steps(model, (3, 8, 8)):
        assert not node.missing
        slope = torch.randn(given.shape, generator=seeded(), dtype=torch.float64)
        pulled = node.rule.pull(slope)
        assert [p.shape for p in pulled] == [x.shape for x in fed]
        if isinstance(node.rule, Routed):
            told = routed(node.rule, fed[0], given)
            pulled = (pulled[0] * told,)
        layer = read_graph(model, (3, 8, 8)).module
        leaves = [x.clone().requires_grad_() for x in fed]
        again = replay(layer, node.name, [x + 0 for x in leaves])
        true = torch.autograd.grad(again, leaves, slope)
        for mine, theirs in zip(pulled, true, strict=True):
            assert torch.allclose(mine, theirs, rtol=1e-12, atol=1e-12)
        lifted = node.rule.lift(given)
        if lifted is not None:
            for mine, true in zip(lifted, fed, strict=True):
                assert torch.allclose(mine, true, rtol=1e-10, atol=1e-10)
        seen.add(type(node.rule).__name__)
    assert len(seen) >= 6


def routed(rule, fed, given):
    """What each entry of the input passes on, from the forward pass."""
    if rule.windows is None:
        return (fed > 0).double() * (1 - rule.leak) + rule.leak
    flat = torch.cat([given.flatten(2), given.new_full((*given.shape[:2], 1), float("nan"))], 2)
    return (flat[:, :, rule.windows].reshape(fed.shape) == fed).double()


def replay(module, name, leaves):
    """One fx node run again on other values of what feeds it."""
    node = next(n for n in module.graph.nodes if n.name == name)
    values = iter(leaves)
    known = {}

    def value(n):
        if n not in known:
            depends = n.op != "get_attr" and n.name not in constants(module)
            known[n] = next(values) if depends else constants(module)[n.name]
        return known[n]

    args = torch.fx.map_arg(node.args, value)
    kwargs = torch.fx.map_arg(node.kwargs, value)
    if node.op == "call_module":
        return module.get_submodule(node.target)(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)


def constants(module):
    """What does not depend on the image: sizes and tensors, by name of the node."""
    found = {}
    for n in module.graph.nodes:
        if n.op == "get_attr":
            found[n.name] = getattr(module, n.target)
        elif n.op == "call_method" and n.target == "size":
            found[n.name] = 2
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_weight_gradient_is_the_system_times_what_the_layer_was_fed(name):
    model = MODELS[name]
    graph = read_graph(model, (3, 8, 8))
    images = torch.rand(2, 3, 8, 8, generator=seeded(), dtype=torch.float64)
    weighted = [n for n in graph.nodes.values() if isinstance(n.rule, Weighted)]
    wanted = [n.name for n in weighted] + [n.inputs[0] for n in weighted]
    values = graph.upto(wanted, torch.float64)(images)
    parameters = dict(model.named_parameters())
    for node, fed in zip(weighted, values[len(weighted) :], strict=True):
        weight = parameters[node.rule.parameter].detach().requires_grad_()
        rule = node.rule
        shape = (2, *node.shape)
        slope = torch.randn(shape, generator=seeded(), dtype=torch.float64)
        output = (
            F.linear(fed.detach(), weight)
            if weight.ndim == 2
            else F.conv2d(
                fed.detach(),
                weight,
                None,
                rule.geometry.stride,
                rule.geometry.padding,
                rule.geometry.dilation,
            )
        )
        (gradient,) = torch.autograd.grad(output, weight, slope)
        channels = fed.detach().reshape(2, weight.shape[1], -1)
        stacked = channels.transpose(0, 1).flatten(1).T
        told = rule.system(slope) @ stacked
        assert told.shape == (rule.equations, weight.shape[1])
        assert torch.allclose(told, rule.right(gradient), rtol=1e-10, atol=1e-10)


def test_unfolding_a_convolution_agrees_with_its_taps():
    graph = read_graph(MODELS["convolutions"], (3, 8, 8))
    for node in graph.nodes.values():
        if isinstance(node.rule, Weighted) and node.rule.weight.ndim == 4:
            geometry = node.rule.geometry
            fed = torch.rand(1, 2, *geometry.size, generator=seeded(), dtype=torch.float64)
            padded = torch.cat([fed.flatten(2), torch.zeros(1, 2, 1)], 2)
            rows = padded[0][:, geometry.seen()].permute(1, 0, 2).flatten(1)
            assert torch.equal(geometry.unfold(fed)[0], rows)
            assert geometry.output == node.shape[1:]
            patches = torch.rand(rows[None].shape, generator=seeded(1), dtype=torch.float64)
            assert torch.isclose(
                (geometry.unfold(fed) * patches).sum(), (fed * geometry.fold(patches)).sum()
            )


def test_counts_of_the_zoo_are_those_of_the_arithmetic():
    found = count(read_graph(victims.load_model("resnet20-4"), (3, 32, 32)))
    by_layer = {c.layers[-1]: c for c in found}
    top = by_layer["1.11.conv2"]
    assert (top.unknowns, top.equations, top.channels, top.blind) == (64, 2304, 256, True)
    strided = by_layer["1.9.conv1"]
    assert strided.layers == ("1.9.shortcut.0", "1.9.conv1")
    assert (strided.unknowns, strided.equations) == (256, 2560)
    assert by_layer["1.3.conv1"].cliff < 0 < by_layer["1.7.conv2"].cliff < 0.78
    assert [c.unknowns for c in count(read_graph(victims.load_model("mlp"), (3, 32, 32)), 4)] == [
        4,
        4,
    ]


@pytest.mark.parametrize("name", ["convnet", "resnet20-4", "mlp", "linear", "lenet5"])
def test_models_of_ours_are_covered_and_left_alone(name):
    model = victims.load_model(name)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    graph = read_graph(model, (3, 32, 32))
    assert [n.missing for n in graph.nodes.values() if n.missing] == []
    images = torch.rand(2, 3, 32, 32, generator=seeded())
    assert torch.allclose(graph.upto([graph.logits], torch.float32)(images)[0], model(images))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(144, 10)

    def forward(self, x):
        return self.head(F.relu(self.conv(x)).contiguous().flatten(1))


def own(image_shape, classes):
    return Own()


def test_a_model_of_the_users_own_is_read_like_any_other():
    model = victims.load_model(f"{__name__}:own", image_shape=(3, 8, 8))
    nodes = read_graph(model, (3, 8, 8)).nodes
    assert [node.missing for node in nodes.values() if node.missing] == []
    assert {"conv", "head"} < {node.title for node in nodes.values()}


class Asks(nn.Module):
    """A model that decides by a value."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x.flatten(1)[:, :2] if x.sum() > 0 else x.flatten(1)[:, 2:4]


def silenced(norm):
    nn.init.zeros_(norm.weight)
    return norm


def test_what_no_rule_covers_is_named():
    odd = {
        "1: no rule covers Tanh": nn.Tanh(),
        "1: max pooling whose windows overlap has no rule": nn.MaxPool2d(3, 2),
        "1: a convolution of 2 groups has no rule": nn.Conv2d(4, 4, 3, groups=2),
        "1: batch normalisation by the batch's own statistics has no rule": nn.BatchNorm2d(4),
        "1: group normalisation with a weight of 0 has no rule": silenced(nn.GroupNorm(2, 4)),
        "1: dropout in training mode has no rule": nn.Dropout(),
        "1: a linear layer on 4 vectors per example has no rule": nn.Linear(8, 8),
    }
    for reason, layer in odd.items():
        model = nn.Sequential(nn.Conv2d(3, 4, 1), layer)
        nodes = read_graph(model, (3, 8, 8)).nodes.values()
        assert [n.missing for n in nodes if n.missing] == [reason]


class Token(nn.Module):
    """Reads one of several vectors, as a transformer does, outside of any layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 10)

    def forward(self, x):
        return self.head(self.conv(x).flatten(2).transpose(1, 2)[:, 0])


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        (Token(), "getitem after conv: no rule covers getitem"),
        (nn.Sequential(Token()), "getitem in 0: no rule covers getitem"),
        (nn.Sequential(nn.Identity(), nn.Sequential(Token())), "getitem in 1.0: no rule covers"),
    ],
)
def test_a_step_that_is_no_module_is_named_by_the_module_it_stands_in(model, missing):
    assert refusal(read_graph(model, (3, 8, 8))).startswith(missing)


class Bare(nn.Module):
    """No module at all before the first step."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(x).flatten(1))


def test_a_step_before_any_module_comes_after_the_image():
    assert refusal(read_graph(Bare(), (1, 2, 2))) == "tanh after the image: no rule covers tanh"


class Breaks(nn.Module):
    """A layer that can be traced and not run."""

    def forward(self, x):
        return x.reshape(-1, 7)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Sequential(nn.Conv2d(3, 1, 1), Asks()), "1: TraceError: "),
        (nn.Sequential(nn.Conv2d(3, 1, 1), nn.Sequential(Asks())), "1.0: TraceError: "),
        (nn.Sequential(nn.Conv2d(3, 1, 1), Breaks()), "reshape in 1: RuntimeError: "),
        (nn.Sequential(nn.Conv2d(4, 1, 1)), "0: RuntimeError: "),
        (Asks(nn.Conv2d(3, 1, 1)), "its own forward pass: TraceError: "),
    ],
)
def test_a_model_that_cannot_be_read_names_the_module_at_fault(model, told):
    with pytest.raises(NoRule, match=f"^the model cannot be read as a graph: {told}"):
        read_graph(model, (3, 2, 2))
