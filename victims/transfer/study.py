"""Turns a Transfer into its head and its Record."""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from defenses import BadInput
from reports.commands.origins import origins
from reports.estimates import Estimate
from reports.records import Record
from reports.records.environment import environment
from reports.records.training import KIND, HeadBounds, Row
from victims.training.streams import Repeatable
from victims.transfer.checkpoint import SAVE_SECONDS, Checkpoint
from victims.transfer.mechanism import Gaussian, count_use
from victims.transfer.plan import Plan
from victims.transfer.prepare import Prepared
from victims.transfer.scenario import Transfer


def fit(
    prepared: Prepared, *, keep: bool = False, past: Checkpoint | None = None
) -> tuple[Tensor, Gaussian]:
    """The private head (L, d), and the mechanism through which all of it was learned.

    Args:
        prepared: see `prepare`.
        keep: whether the mechanism keeps its releases, for attacks on them.
        past: where releases are kept for a fit that is killed, see `checkpoint_in`.

    Raises:
        BadInput: the head is not finite.
    """
    plan = prepared.plan
    mechanism = prepared.mechanism(keep=keep)
    mechanism.past = past
    with count_use(mechanism, plan.releases, plan.sample_rate):
        head = plan.method.fit(prepared.problem, mechanism)
    if past is not None and plan.transfer.secure:
        past.flush()  # who is killed once the head is seen finds what it was made of
    if not bool(torch.isfinite(head).all()):
        raise BadInput(f"the head of {plan.transfer.method} is not finite: try a smaller --lr")
    return head, mechanism


def checkpoint_in(
    folder: Path, prepared: Prepared, save_seconds: float = SAVE_SECONDS
) -> Checkpoint:
    """The checkpoint of a fit in its folder, gone on from where releases of it lie there.

    All that the account rests on is compared, and the code that is the user's own. That of a secure
    fit says nothing of the private examples but how many there are, so that it does not see whether
    they are the same; releases of others spend others' epsilon.

    Raises:
        BadInput: they are of other flags, data, code or version.
    """
    plan = prepared.plan
    of = {
        "transfer": plan.transfer.document(),
        "examples": plan.examples,
        "noise": plan.noise.hex(),
        "sample_rate": plan.sample_rate.hex(),
        "releases": plan.releases,
        "code": origins(plan.transfer.document()),
        "version": version("leakgauge"),
    }
    if not plan.transfer.secure:
        of["key"] = prepared.key
    return Checkpoint(folder, of, save_seconds)


def control(prepared: Prepared) -> Tensor:
    """The head (L, d) that the same method fits without noise: what the features can tell."""
    return prepared.plan.method.fit(prepared.problem, Gaussian(0.0, Repeatable(0, "control")))


def fits_of(transfer: Transfer) -> int:
    """How many fits `study` makes of it: the head, and its control unless it is secure."""
    return 1 if transfer.secure else 2


def study(
    prepared: Prepared,
    device: str,
    command: str,
    plain: Tensor | None = None,
    past: Checkpoint | None = None,
) -> tuple[Record, Tensor]:
    """The Record of a head, and the head (L, d).

    Of a secure fit nothing is in it that noise does not hide: no control, no digest of the data.

    Args:
        prepared: see `prepare`.
        device: where the features were computed.
        command: that fits it again.
        plain: the head (L, d) of `control`, where it is known already.
        past: see `fit`.
    """
    head, mechanism = fit(prepared, past=past)
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
        epsilon=_finite_or_none(plan.epsilon()),
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
        epsilon={name: _finite_or_none(plan.epsilon(name)) for name in ("rdp", "prv")},
        ledger=[(plan.noise, plan.sample_rate, plan.releases)],
        mu=None if mu is None else _finite_or_none(mu),
        zcdp=None if zcdp is None else _finite_or_none(zcdp),
    )


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
