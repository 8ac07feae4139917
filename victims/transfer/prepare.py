"""Loads what a Transfer names: data, backbone, features, and the plan of its noise."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reports.commands.progress import Report, unwatched
from victims.data import Data, digest, load_data
from victims.data.trust import agree
from victims.training.streams import Repeatable, Secret, content_of
from victims.transfer.backbones import Backbone, load_backbone
from victims.transfer.contract import Problem, bound_rows
from victims.transfer.features import code_of, features_of
from victims.transfer.mechanism import Gaussian
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
        bound_rows(features_of(backbone, d.images, folder=folder, device=device, report=report))
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
