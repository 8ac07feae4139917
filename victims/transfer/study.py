"""Turns a Transfer into its head and its Record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from defenses import BadInput
from reports.commands.origins import origins
from reports.commands.progress import Report, unwatched
from reports.estimates import Estimate
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import KIND, HeadBounds, Row
from victims.data import Data, digest, load_data
from victims.data.trust import agree
from victims.training.streams import Repeatable, Secret, content_of
from victims.transfer.backbones import Backbone, load_backbone
from victims.transfer.contract import Problem, bounded
from victims.transfer.features import code_of, features_of
from victims.transfer.mechanism import Gaussian, counted
from victims.transfer.plan import Plan, make_plan
from victims.transfer.scenario import Transfer


@dataclass(frozen=True)
class Prepared:
    """A head that can be fitted.

    Attributes:
        plan: its noise and its account.
        problem: the private examples.
        tests: (M, d) features that measure accuracy, rows of norm 1.
        labels: (M,) their labels.
        content: digest of private data and backbone.
        data: digest of private and test images and labels.
    """

    plan: Plan
    problem: Problem
    tests: Tensor
    labels: Tensor
    content: str
    data: str

    @property
    def key(self) -> str:
        """64 hex digits that change with all that decides the run, an example or option alike.

        Two runs at one seed share no noise, which their difference would otherwise show.
        """
        facts = {"transfer": self.plan.transfer.document(), "content": self.content}
        facts["noise"] = self.plan.noise.hex()
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def mechanism(self, *, keep: bool = False) -> Gaussian:
        """The mechanism that the plan accounts for; its noise follows from seed and `key`.

        That of a secure fit follows from nothing.
        """
        transfer = self.plan.transfer
        draw = Secret() if transfer.secure else Repeatable(transfer.seed, self.key)
        return Gaussian(self.plan.noise, draw, keep=keep)

    def under(self, transfer: Transfer) -> Prepared:
        """The same examples under other settings of method, noise and seed.

        Raises:
            BadInput: no such plan, see `make_plan`.
        """
        return dataclasses.replace(self, plan=make_plan(transfer, self.plan.examples))

    def correct(self, head: Tensor) -> int:
        """How many tests a head (L, d) gets right."""
        return int(((self.tests.double() @ head.T).argmax(1) == self.labels).sum())


def load(transfer: Transfer, data_root: str | None = None) -> tuple[Data, Data]:
    """Private examples and tests, which agree in shape and classes.

    Raises:
        BadInput: a set that cannot be had, see `victims.load_data`.
    """
    t = transfer
    train, test = (
        load_data(t.data, split=split, count=count, root=data_root, size=t.size, seed=t.seed)
        for split, count in (("train", t.count), ("test", None))
    )
    agree(train, test, t.data)
    return train, test


def prepare(
    transfer: Transfer,
    *,
    folder: Path,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
) -> Prepared:
    """Load data and backbone and compute the features.

    Args:
        transfer: what is to be fitted.
        folder: where features are kept, see `victims.transfer.features`.
        device: where they are computed; heads are fitted on the CPU, in float64.
        data_root: see `victims.load_data`.
        report: called along slow preparation.

    Raises:
        BadInput: anything that cannot be used, before a feature is computed.
    """
    report("reading data", 0, 1)
    train, test = load(transfer, data_root)
    plan = make_plan(transfer, len(train.labels))
    channels, height, width = train.images.shape[1:]
    backbone = load_backbone(transfer.backbone, (channels, height, width))
    rows, tests = (
        bounded(features_of(backbone, d.images, folder=folder, device=device, report=report))
        for d in (train, test)
    )
    # All labels that the data may have: which of them occur is private.
    classes = max(train.classes, test.classes)
    problem = Problem(rows, train.labels, classes, len(train.labels))
    content = content_of(digest(train), _backbone_content(backbone))
    return Prepared(plan, problem, tests, test.labels, content, digest(train, test))


def _backbone_content(backbone: Backbone) -> str:
    """Digest of all that makes the features of an image.

    One's own code computes with more than its weights: two versions of it under one noise would
    show the difference of their features.
    """
    weights = dict(backbone.module.state_dict())
    code = code_of(backbone)
    own = (repr(backbone.module), code) if code else ()
    return content_of(backbone.transform, weights, *own)


def fit(prepared: Prepared, *, keep: bool = False) -> tuple[Tensor, Gaussian]:
    """The private head (L, d), and the mechanism through which all of it was learned.

    Args:
        prepared: see `prepare`.
        keep: whether the mechanism keeps its releases, for attacks on them.

    Raises:
        BadInput: the head is not finite.
    """
    plan = prepared.plan
    with counted(prepared.mechanism(keep=keep), plan.releases, plan.sample_rate) as mechanism:
        head = plan.method.fit(prepared.problem, mechanism)
    if not bool(torch.isfinite(head).all()):
        raise BadInput(f"the head of {plan.transfer.method} is not finite: try a smaller --lr")
    return head, mechanism


def control(prepared: Prepared) -> Tensor:
    """The head (L, d) that the same method fits without noise: what the features can tell."""
    return prepared.plan.method.fit(prepared.problem, Gaussian(0.0, Repeatable(0, "control")))


def study(
    prepared: Prepared, device: str, command: str, plain: Tensor | None = None
) -> tuple[Record, Tensor]:
    """The Record of a head, and the head (L, d).

    Of a secure fit nothing is in it that noise does not hide: no control, no digest of the data.

    Args:
        prepared: see `prepare`.
        device: where the features were computed.
        command: that fits it again.
        plain: the head (L, d) of `control`, where it is known already.
    """
    head, mechanism = fit(prepared)
    plan, total = prepared.plan, len(prepared.labels)
    accuracy = Estimate.share(prepared.correct(head), total)
    summary = {"accuracy": accuracy.document()}
    if not plan.transfer.secure:
        bare = prepared.correct(control(prepared) if plain is None else plain)
        summary["without_noise"] = Estimate.share(bare, total).document()
    majority = float(prepared.labels.bincount().max()) / total
    facts = environment(seed=plan.transfer.seed, device=device)
    facts["command"] = command
    facts["origins"] = origins(plan.transfer.document())
    if not plan.transfer.secure:
        facts["data_sha256"] = prepared.data
    record = Record(
        KIND,
        plan.transfer.document(),
        [_row(plan, accuracy, mechanism)],
        summary,
        {"accuracy": majority},
        bounds_of(plan),
        facts,
    )
    return record, head


def _row(plan: Plan, accuracy: Estimate, mechanism: Gaussian) -> Row:
    return Row(
        epoch=1,
        step=plan.releases,
        accuracy=accuracy.mean,
        low=accuracy.low,
        high=accuracy.high,
        epsilon=_told(plan.epsilon()),
        holds=True,
        rate=None,
        wire_bytes=mechanism.wire_bytes,
    )


def bounds_of(plan: Plan) -> HeadBounds:
    """What theory guarantees of a head."""
    mu, zcdp = plan.mu, plan.zcdp_epsilon()
    return HeadBounds(
        delta=plan.transfer.delta,
        steps=plan.releases,
        sample_rate=plan.sample_rate,
        assumes=plan.assumes,
        holds=True,
        noise_multiplier=plan.noise,
        effective_noise=plan.noise,
        epsilon={name: _told(plan.epsilon(name)) for name in ("rdp", "prv")},
        ledger=[(plan.noise, plan.sample_rate, plan.releases)],
        mu=None if mu is None else _told(mu),
        zcdp=None if zcdp is None else _told(zcdp),
    )


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
