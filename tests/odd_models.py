"""Models as people have them, for (1, 8, 8) images: builders that ``--model`` takes."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn


class Plain(nn.Module):
    """Two layers, which the others change in one point each."""

    def __init__(self, shape, classes):
        super().__init__()
        self.a = nn.Linear(shape[0] * shape[1] * shape[2], 12)
        self.b = nn.Linear(12, classes)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x.flatten(1))))


class Rows(nn.Module):
    kind: type[nn.RNNBase] = nn.LSTM

    def __init__(self, shape, classes):
        super().__init__()
        self.r = self.kind(shape[0] * shape[2], 8, batch_first=True)
        self.b = nn.Linear(8, classes)

    def forward(self, x):
        return self.b(self.r(x.transpose(1, 2).flatten(2))[0][:, -1])


class Gru(Rows):
    kind = nn.GRU


class Rnn(Rows):
    kind = nn.RNN


class Cells(Rows):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.r = nn.LSTMCell(shape[0] * shape[2], 8)

    def forward(self, x):
        state = None
        for row in x.transpose(1, 2).flatten(2).unbind(1):
            state = self.r(row, state)
        return self.b(state[0])


class Vit(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.patch = nn.Conv2d(shape[0], 8, 2, 2)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.body(self.patch(x).flatten(2).transpose(1, 2)).mean(1))


class Branches(Plain):
    """Control flow that depends on the image."""

    def forward(self, x):
        rows = [torch.tanh(self.a(r)) if r.sum() > 32 else self.a(r).relu() for r in x.flatten(1)]
        return self.b(torch.stack(rows))


class Items(Plain):
    """A Python number out of the image."""

    def forward(self, x):
        return super().forward(x) * float(x.detach().amax() > 0)


class Scale(Plain):
    """A parameter without axes."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return self.scale * super().forward(x)


class Tied(Plain):
    """One weight used by two layers."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.c, self.d = nn.Linear(12, 12), nn.Linear(12, 12)
        self.d.weight = self.c.weight

    def forward(self, x):
        return self.b(self.d(torch.tanh(self.c(torch.tanh(self.a(x.flatten(1)))))))


class Spare(Plain):
    """A layer that no pass uses."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.aux = nn.Linear(12, classes)


class Frozen(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.a.requires_grad_(False)


class Spectral(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        nn.utils.parametrizations.spectral_norm(self.a)


class OldSpectral(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        nn.utils.spectral_norm(self.a)


class WeightNorm(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        nn.utils.parametrizations.weight_norm(self.a)


class OldWeightNorm(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        nn.utils.weight_norm(self.a)


class Square(torch.autograd.Function):
    """Without a rule for vmap."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx, slope):
        return 2 * ctx.saved_tensors[0] * slope


class OwnFunction(Plain):
    def forward(self, x):
        return self.b(Square.apply(self.a(x.flatten(1))))


class InPlace(Plain):
    """Scales the images that it is lent."""

    def forward(self, x):
        x -= 0.5
        x /= 0.25
        return super().forward(x)


class Logits(Plain):
    def forward(self, x):
        return type("Output", (), {"logits": super().forward(x), "loss": None})()


class Remembers(Plain):
    """Keeps what the last pass made, as attention maps are kept."""

    def forward(self, x):
        self.seen = torch.tanh(self.a(x.flatten(1)))
        return self.b(self.seen)


class Lazy(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.a, self.b = nn.LazyLinear(12), nn.LazyLinear(classes)


class FromNumpy(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        drawn = np.random.rand(*self.a.weight.shape) * random.random()  # noqa: NPY002
        self.a.weight.data = torch.from_numpy(drawn).float()


class Compiled(Plain):
    @torch.compile(backend="eager")
    def forward(self, x):
        return self.b(torch.tanh(self.a(x.flatten(1))))


def compiled(shape, classes):
    return torch.compile(Plain(shape, classes), backend="eager")


def parallel(shape, classes):
    return nn.DataParallel(Plain(shape, classes))


def double(shape, classes):
    return nn.Sequential(nn.Flatten(), Plain(shape, classes)).double()


def opacus(shape, classes):
    from opacus import GradSampleModule

    return GradSampleModule(Plain(shape, classes))


def nested(shape, classes):
    return nn.Sequential(compiled(shape, 12), nn.Tanh(), nn.Linear(12, classes))


RIGHT = (
    *("Plain", "Rows", "Gru", "Rnn", "Cells", "Vit", "Branches", "Items", "Scale", "Tied", "Spare"),
    *("Frozen", "Spectral", "OldSpectral", "WeightNorm", "OldWeightNorm", "OwnFunction", "InPlace"),
    *("Logits", "Remembers", "Lazy", "FromNumpy", "Compiled"),
    *("compiled", "parallel", "double", "opacus", "nested"),
)
"""Those that work."""


def scripted(shape, classes):
    return torch.jit.script(Plain(shape, classes))


def still(shape, classes):
    return Plain(shape, classes).requires_grad_(False)


class Pair(Plain):
    def forward(self, x):
        return super().forward(x), x


class Whole(Plain):
    def forward(self, x):
        return super().forward(x).round().long()


class Undefined(Plain):
    def forward(self, x):
        return super().forward(x) / (x.amax() - x.amax())


class Draws(Plain):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.5, training=True)


class Counts(Plain):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


class Mixes(Plain):
    def forward(self, x):
        return super().forward(x - x.mean(0))


class Untracked(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.n = nn.BatchNorm2d(shape[0], track_running_stats=False)

    def forward(self, x):
        return super().forward(self.n(x))


class Unseeded(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        drawn = np.random.default_rng().random((12, 64))
        self.a.weight.data = torch.from_numpy(drawn).float()


class LazyUnused(Plain):
    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.aux = nn.LazyLinear(3)


class Raises(Plain):
    def forward(self, x):
        raise KeyError("no such thing")


REFUSED = {
    "scripted": "TorchScript",
    "still": "no parameter that requires a gradient",
    "Pair": r"gives tuple for one image; the labels need \(1, 10\)",
    "Whole": "gives torch.int64 where logits are floating point",
    "Undefined": "NaN or infinite",
    "Draws": "from pass to pass",
    "Counts": "from pass to pass",
    "Mixes": "mixes the images of a batch",
    "Untracked": "mixes the images of a batch|running statistics",
    "Unseeded": "built from one seed",
    "LazyUnused": "lazy layer that no pass uses: 'aux.weight'",
    "Raises": "cannot take 1x8x8 images: 'no such thing'",
}
"""Those that cannot, and what is said."""


class Statistics(Plain):
    """Remembers the examples of training in a buffer, as BatchNorm does."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(x.mean(), 0.1)
        return super().forward(x - self.mean)


class Norm(Plain):
    """BatchNorm over examples alone."""

    def __init__(self, shape, classes):
        super().__init__(shape, classes)
        self.n = nn.BatchNorm1d(12)

    def forward(self, x):
        return self.b(torch.relu(self.n(self.a(x.flatten(1)))))


class Single(Plain):
    """Works in float32 whatever it is given."""

    def forward(self, x):
        return super().forward(x.float())


class Auxiliary(Plain):
    """Answers in training with a pair."""

    def forward(self, x):
        return (super().forward(x), x) if self.training else super().forward(x)
