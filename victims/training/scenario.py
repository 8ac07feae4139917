"""A Training: what decides a training run, and nothing that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from defenses import BadInput
from defenses.options import check_types
from defenses.privacy.accounting import ACCOUNTANTS
from reports.records.keyed import Keyed

CHOICES = {
    "optimizer": ("sgd", "adam"),
    "schedule": ("constant", "cosine", "linear"),
    "sampling": ("poisson", "shuffle"),
    "layers": ("all", "last"),
    "accountant": ACCOUNTANTS,
}


@dataclass(frozen=True)
class Training(Keyed):
    """One victim's training (see ``python -m victims.train --help`` for each field).

    Attributes:
        data: see `victims.load_data`; its ``train`` split is private, ``test`` measures accuracy.
        count: train on this many private examples, chosen with ``seed``; None: all.
        size: image edge for data that can be scaled.
        model: see `victims.load_model`.
        weights: safetensors file to start from, or ``untrained``.
        layers: ``all``, or ``last`` to freeze the body and train the last linear layer.
        defense: registered name or ``pkg.module:Class``; its options in ``defense_options``.
        batch_size: *expected* batch size, the public divisor of every release.
        epochs: an epoch is 1 / sample rate steps.
        lr: learning rate at its highest.
        momentum: the momentum of SGD, in [0, 1).
        weight_decay: L2 penalty in the optimiser; it sees no data.
        optimizer: ``sgd`` or ``adam``.
        schedule: the learning rate is ``constant``, or falls to 0 by ``cosine`` or ``linear``.
        warmup: steps over which the learning rate first grows.
        views: augmented views per example, whose gradients are averaged before clipping.
        average: decay of the moving average of the weights that is evaluated; 0: none.
        sampling: how batches are drawn: ``poisson``, or ``shuffle`` (fixed batches, which no
            accountant here covers).
        epsilon: sets the noise so that the whole run spends this; with a noise multiplier in
            ``defense_options`` it is a budget at which the run stops. None: no limit.
        delta: the delta of every guarantee, in (0, 1).
        accountant: which accountant's epsilon counts: ``prv`` (tighter) or ``rdp``.
        public: data whose ``train`` split everyone knows, for defenses that learn from it.
        anchors: how many examples of the public data.
        seed: the seed of everything random; what hides somebody is keyed by data and weights as
            well (`victims.training.streams`).
        secure: for deployments: what hides somebody is drawn from the operating system, nothing
            that tells it is kept, and the seed only chooses what is public.
    """

    unsaid = ("secure",)

    data: str = "digits"
    count: int | None = None
    size: int | None = None
    model: str = "mlp"
    weights: str = "untrained"
    layers: str = "all"
    defense: str = "dprs"
    defense_options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 64
    epochs: int = 10
    lr: float = 0.5
    momentum: float = 0.0
    weight_decay: float = 0.0
    optimizer: str = "sgd"
    schedule: str = "constant"
    warmup: int = 0
    views: int = 1
    average: float = 0.0
    sampling: str = "poisson"
    epsilon: float | None = None
    delta: float = 1e-5
    accountant: str = "prv"
    public: str | None = None
    anchors: int = 128
    seed: int = 0
    secure: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise BadInput(f"unknown {name} {value!r}; known: {', '.join(known)}")
        for name, low in {
            "batch_size": 1,
            "epochs": 1,
            "views": 1,
            "warmup": 0,
            "anchors": 1,
        }.items():
            if getattr(self, name) < low:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be >= {low}")
        for name in ("lr", "momentum", "weight_decay", "average"):
            value = float(getattr(self, name))
            object.__setattr__(self, name, value)  # 1 and 1.0 have one key
            if not (math.isfinite(value) and value >= 0):
                raise BadInput(f"{name} is {value:g}; it must be >= 0 and finite")
        for name in ("momentum", "average"):
            if getattr(self, name) >= 1:
                raise BadInput(f"{name} is {getattr(self, name):g}; it must be in [0, 1)")
        if self.lr == 0:
            raise BadInput("lr is 0; it must be > 0")
        if not 0 < self.delta < 1:
            raise BadInput(f"delta is {self.delta:g}; it must be in (0, 1)")
        if self.secure and self.sampling != "poisson":
            raise BadInput("--secure takes Poisson batches: shuffled ones carry no guarantee")
