"""Published accuracies of private training, each with the training that should reach it."""

from __future__ import annotations

import dataclasses
from typing import Any

from victims.training import Training

TRAMER = {"clip": 0.1}
SCATTER = Training(
    data="fashion-mnist",
    model="scatter-linear",
    defense="dpsgd",
    defense_options=TRAMER,
    batch_size=8192,
    epochs=40,
    lr=16,
    momentum=0.9,
    epsilon=3,
)
CNN = dataclasses.replace(SCATTER, model="tanh-cnn", batch_size=2048, lr=4)
CIFAR = Training(data="cifar10", defense="dpsgd", epsilon=3)
DPCNN = dataclasses.replace(CIFAR, model="dpcnn", batch_size=1000, lr=1)
WRN = dataclasses.replace(
    CIFAR, model="wrn-16-4", defense_options={"clip": 1.0}, batch_size=4096, lr=2, views=16
)
WRN = dataclasses.replace(WRN, average=0.999, schedule="constant")


@dataclasses.dataclass(frozen=True)
class Row:
    """One published number and the training that should reach it.

    Attributes:
        name: the row's name, for ``--rows``.
        what: the setting in the table's words.
        training: the setting, seed apart.
        published: test accuracy in percent; None where the paper has none for this setting.
        slow: left out unless asked for: hours on a CPU.
    """

    name: str
    what: str
    training: Training
    published: float | None
    slow: bool = False


def _with(base: Training, **changed: Any) -> Training:
    """The same training but for some fields."""
    return dataclasses.replace(base, **changed)


def _sparse(base: Training, rate: float, **changed: Any) -> Training:
    """The same training with so many of the coordinates left out."""
    options = {**base.defense_options, "rate": rate}
    return _with(base, defense="dprs", defense_options=options, **changed)


def _at_sigma(base: Training, noise: float) -> Training:
    """The same training at a noise multiplier in place of an epsilon."""
    options = {**base.defense_options, "noise_multiplier": noise}
    return _with(base, defense_options=options, epsilon=None)


WRN_1, WRN_8 = _at_sigma(WRN, 10.0), _at_sigma(WRN, 3.0)
CIFAR_SCATTER = _with(CIFAR, defense_options=TRAMER, batch_size=8192, lr=4, momentum=0.9)
ROWS = [
    Row("fmnist-scatter", "FMNIST, ScatterNet + linear", SCATTER, 89.7),
    Row("fmnist-scatter-sigma", "the same at the published sigma", _at_sigma(SCATTER, 4.05), 89.7),
    Row("fmnist-scatter-rs50", "the same with DPRS 0.5", _sparse(SCATTER, 0.5), None),
    Row("fmnist-scatter-rs90", "the same with DPRS 0.9", _sparse(SCATTER, 0.9), None),
    Row(
        "mnist-scatter",
        "MNIST, ScatterNet + linear (GroupNorm; the paper: noisy BatchNorm)",
        _with(SCATTER, data="mnist", batch_size=4096, lr=8),
        98.7,
    ),
    Row("fmnist-cnn", "FMNIST, CNN", CNN, 86.0),
    Row("mnist-cnn", "MNIST, CNN", _with(CNN, data="mnist", batch_size=512, lr=0.5), 98.1),
    Row(
        "cifar-scatter",
        "CIFAR-10, ScatterNet + linear (GroupNorm; the paper: noisy BatchNorm)",
        _with(CIFAR_SCATTER, model="scatter-linear", epochs=60),
        67.0,
        True,
    ),
    Row(
        "cifar-scatter-cnn",
        "CIFAR-10, ScatterNet + CNN (likewise)",
        _with(CIFAR_SCATTER, model="scatter-cnn", epochs=60),
        69.3,
        True,
    ),
    Row(
        "cifar-dpcnn-rs90",
        "CIFAR-10, DP-CNN with DPRS 0.9",
        _sparse(_with(DPCNN, defense_options={"clip": 1.0}, epochs=48), 0.9),
        None,
        True,
    ),
    Row(
        "cifar-dpcnn",
        "CIFAR-10, DP-CNN, retuned",
        _with(DPCNN, defense_options={"clip": 1.0}, epochs=40),
        None,
        True,
    ),
    Row(
        "cifar-dpcnn-earlier",
        "CIFAR-10, DP-CNN, as in earlier work",
        _with(DPCNN, defense_options={"clip": 0.1}, momentum=0.9, epochs=40),
        None,
        True,
    ),
    Row(
        "cifar-wrn-eps1",
        "CIFAR-10, WRN-16-4 near epsilon 1",
        _with(WRN_1, epochs=72),
        None,
        True,
    ),
    Row(
        "cifar-wrn-eps8",
        "CIFAR-10, WRN-16-4 near epsilon 8",
        _with(WRN_8, epochs=205),
        None,
        True,
    ),
]
