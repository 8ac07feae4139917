"""Fits a head beside every sought example, and names and rebuilds it from the releases."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from attacks.invert.bounds import named_at_most
from attacks.invert.heads.cost import seconds_of
from attacks.invert.heads.decoder import train_decoder
from attacks.invert.heads.load import Stage, load_stage
from attacks.invert.heads.scenario import Scenario
from attacks.invert.heads.seek import CONTROL, seek
from attacks.invert.score import column_summary
from defenses import BadInput, stream
from defenses.options import shown_options
from reports.commands.progress import Report, expect, unwatched
from reports.records import Record
from reports.records.column import ADAPTIVE, Column
from reports.records.environment import environment
from reports.records.inversion import KIND, Bounds, Row
from reports.scores.prior import lpips_or_reason, prior_baseline, score_rows


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    features: Path | None = None,
) -> Record:
    """Play the game with noise and without.

    The adversary knows the method, all examples but one, and every release; public images are
    the test split.

    Args:
        scenario: what is played.
        out: not used: a game takes minutes.
        device: where features are computed.
        data_root: see `victims.load_data`.
        report: called with the fits done.
        features: see `victims.transfer.features.store`.

    Returns:
        The Record of an inversion with the columns ``none`` (no noise) and the method.

    Raises:
        BadInput: the Scenario cannot be played.
    """
    stage = load_stage(
        scenario, features=features, device=device, data_root=data_root, report=report
    )
    names = [CONTROL, *([scenario.transfer.method] if stage.plan.noise > 0 else [])]
    expect(report, lambda: seconds_of(stage, names))
    rows: list[Row] = []
    arrays = {"truth": stage.truth}
    for name in names:
        mine, arrays[Column(name, ADAPTIVE).key] = _attack(stage, name, names, report)
        rows += mine
    report("scoring the baseline", 1, 1)
    baseline, arrays["prior"] = prior_baseline(stage.truth, stage.images)
    baseline["auxiliary"] = {"images": len(stage.images), "dropped": stage.dropped}
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = stage.content
    facts["lpips"] = lpips_or_reason(stage.truth[:1], stage.truth[:1])[1] or "available"
    summary = {
        Column(name, ADAPTIVE).key: column_summary([r for r in rows if r["defense"] == name])
        for name in names
    }
    bounds = {name: _bounds(stage, name) for name in names}
    return Record(KIND, scenario.document(), rows, summary, baseline, bounds, facts, arrays)


def _attack(
    stage: Stage, name: str, names: Sequence[str], report: Report
) -> tuple[list[Row], Tensor]:
    """Rows and images of one of the columns."""
    scenario, began = stage.scenario, time.monotonic()
    done, total = names.index(name) * scenario.images, len(names) * scenario.images
    sought = []
    for image in range(scenario.images):
        report(f"{name}: image {image + 1} of {scenario.images}", done + image, total)
        sought.append(seek(stage, name, image))
    found, sent = [one.found for one in sought], sought[-1].wire_bytes
    errors = torch.tensor([one.error for one in found])
    if not bool(errors.isfinite().all()):
        raise BadInput(f"{scenario.transfer.method} releases no {scenario.see}: take another --see")
    report(f"{name}: the decoder learns", done + scenario.images, total)
    error = float(errors.median())
    decoder = train_decoder(
        stage.public,
        stage.images,
        error,
        scenario.iterations,
        stream(scenario.seed, "decoder", name),
    )
    with torch.no_grad():
        guesses = decoder(torch.stack([one.feature for one in found]).float()).clamp(0, 1)
    seconds = (time.monotonic() - began) / scenario.images
    scores = score_rows(guesses, stage.truth)
    return [
        Row(
            image=image,
            defense=name,
            adaptive=True,
            attack="decoder",
            psnr=score["psnr"],
            ssim=score["ssim"],
            lpips=score["lpips"],
            iterations=0,
            stopped="",
            label=int(stage.labels[image]),
            label_found=found[image].label,
            seconds=seconds,
            evaluations=0,
            practice=scenario.iterations,
            wire_bytes=sent,
            rank=sought[image].rank,
            fisher_psnr=None,
        )
        for image, score in enumerate(scores)
    ], guesses


def _bounds(stage: Stage, name: str) -> Bounds:
    """What theory says of all releases of a fit together."""
    plan, count = stage.plan, stage.scenario.candidates
    epsilon = math.inf if name == CONTROL else plan.epsilon()
    mu = plan.mu
    noise = 0.0 if name == CONTROL or mu is None else 1 / mu
    options = shown_options(plan.method) | {"noise_multiplier": plan.noise}
    return Bounds(
        options={} if name == CONTROL else options,
        epsilon=epsilon if math.isfinite(epsilon) else None,
        delta=plan.transfer.delta,
        top1_of_1000=named_at_most(1000, noise),
        candidates=count if count > 1 else None,
        top1=named_at_most(count, noise) if count > 1 else None,
    )
