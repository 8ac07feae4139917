"""One inversion Scenario from private images to a Record: the place where the rooms meet."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.before.exposure import attacked, exposed, placed
from attacks.invert.bounds import guarantee
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import Threat, registry
from attacks.invert.fisher import fisher_psnr
from attacks.invert.load import load_setting
from attacks.invert.matching.clock import Clock, TimeIsUp
from attacks.invert.matching.meter import metered
from attacks.invert.matching.objective import require
from attacks.invert.matching.practice import Practised, practise
from attacks.invert.rounds import judged
from attacks.invert.scenario import COLUMNS, Scenario
from attacks.invert.score import column_summary, scored
from defenses import preprocessing, stream
from defenses.registry import shown_options
from reports.commands.origins import mark
from reports.records import Partial, Record
from reports.records.column import ATTACKERS, Column
from reports.records.environment import environment
from reports.records.inversion import KIND
from reports.scores.prior import lpips_or_reason, prior_baseline
from victims.training.streams import content_of

Report = Callable[[str, int, int], None]
ATTACK = 0.8
"""Share of a batch's time that its attack gets, where time is guarded; the rest is for the
candidate game and the Fisher information."""


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
) -> Record:
    """See `attacks.run`."""
    setting = load_setting(scenario, device=device, data_root=data_root)
    private, auxiliary, shields = setting.private, setting.auxiliary, setting.shields
    alike = setting.alike.images, setting.alike.labels
    shared = Lineup.of(setting.models[scenario.defense], cross_entropy, *alike)
    attack = registry.get(scenario.attack, **scenario.attack_options)
    partial = Partial(out, setting.content) if out else None
    prefix = f"{scenario.key()}{mark(scenario.document())}" if out else ""
    cells = [(n, a) for n in shields for a in COLUMNS[scenario.columns] if n != "none" or a]
    if ("none" in shields) and scenario.columns == "naive":
        cells.insert(0, ("none", True))  # nothing to replay: both attackers are the same one
    batches = scenario.images // scenario.batch
    total, done = len(cells) * (batches + 1), 0
    rows: list[dict[str, Any]] = []
    arrays: dict[str, Tensor] = {"truth": private.images}
    tuned: dict[tuple[str, bool], Practised] = {}
    for name, adaptive in cells:
        model, lineup = setting.models[name], shared
        if preprocessing.stages(shields[name]) or model is not shared.model:
            lineup = Lineup.of(model, cross_entropy, *alike, shields[name] if adaptive else None)
        column = Column(name, ATTACKERS[not adaptive]).key
        threat = Threat(
            defense=shields[name],
            adaptive=adaptive,
            image_shape=setting.image_shape,
            classes=setting.classes,
            batch_size=scenario.batch,
            auxiliary_images=auxiliary.images,
            auxiliary_labels=auxiliary.labels,
            evaluations=scenario.evaluations,
        )
        clock = Clock.of(scenario.budget and scenario.budget * scenario.images)
        require(attack.refusal(model, threat), attack.name)
        guesses: list[Tensor] = []
        for index in range(batches):
            part = slice(index * scenario.batch, (index + 1) * scenario.batch)
            images, labels = private.images[part].to(device), private.labels[part].to(device)
            key = f"{prefix}-{column.replace('/', '-').replace(':', '.')}-{index}"
            piece = partial.load(key) if partial else None
            if piece is None:
                # A naive adversary practises as if there were no defense, so all share a plan.
                habit = (name, True) if adaptive else ("none", True)
                known = labels.cpu() if scenario.labels_known else None
                informed = dataclasses.replace(threat, labels=known)
                if habit not in tuned:
                    report(f"{column}: practising on auxiliary images", done, total)
                    practice = dataclasses.replace(informed, defense=defenses.get("none"))
                    tuned[habit] = practise(
                        attack,
                        model,
                        cross_entropy,
                        informed if adaptive else practice,
                        clock,
                        generator=stream(scenario.seed, "practice", *habit),
                    )
                ready, turn = tuned[habit], clock.part(1 / (batches - index))
                report(f"{column}: batch {index + 1} of {batches}", done, total)
                # By its content, so that no two releases of different images share their noise.
                told = json.dumps(shown_options(shields[name]), default=repr)
                mine = content_of(images, labels, scenario.model, scenario.state_sha256, told)
                grads = exposed(
                    victims.per_example_gradients,
                    model,
                    cross_entropy,
                    shields[name],
                    images,
                    labels,
                    generator=stream(scenario.seed, "exposure", name, index, mine),
                )
                release = shields[name].release(
                    grads, generator=stream(scenario.seed, "release", name, index, mine)
                )
                began = time.perf_counter()
                allowed = turn.part(ATTACK).left / scenario.batch
                with metered() as meter:
                    guess = attacked(
                        ready.attack,
                        model,
                        cross_entropy,
                        release,
                        dataclasses.replace(informed, seconds=allowed),
                        generator=stream(scenario.seed, "attack", column, index),
                    )
                seconds = (time.perf_counter() - began) / scenario.batch
                place = None
                if scenario.batch == 1 and lineup.size > 1:
                    draw = stream(scenario.seed, "candidates", column, index)
                    with contextlib.suppress(TimeIsUp):
                        place = placed(lineup, release, informed, grads, images, labels, draw, turn)
                probe = stream(scenario.seed, "probe", name, index)
                floor = fisher_psnr(
                    model,
                    cross_entropy,
                    release,
                    informed,
                    images,
                    labels,
                    generator=probe,
                    clock=turn,
                )
                if ready.cut or turn.over:
                    guess = dataclasses.replace(guess, stopped="time")
                piece = scored(
                    guess,
                    images.cpu(),
                    labels.cpu(),
                    seconds=seconds,
                    evaluations=meter.gradients // scenario.batch,
                    practice=ready.gradients // scenario.batch,
                    wire_bytes=release.wire_bytes,
                    rank=place,
                    fisher_psnr=floor,
                )
                if partial:
                    partial.save(key, *piece)
            facts, tensors = piece
            for row in facts["rows"]:
                image = index * scenario.batch + row.pop("position")
                rows.append({"image": image, "defense": name, "adaptive": adaptive, **row})
            guesses.append(tensors["guess"])
            done += 1
        done += 1
        arrays[column] = torch.cat(guesses)
    report("scoring the baseline", done, total)
    baseline = prior_baseline(private.images, auxiliary.images, arrays)
    baseline["auxiliary"] = {"images": len(auxiliary.labels), "dropped": setting.dropped}
    summary = {
        Column(n, ATTACKERS[not a]).key: column_summary(
            [r for r in rows if (r["defense"], r["adaptive"]) == (n, a)]
        )
        for n, a in cells
    }
    facts = environment(seed=scenario.seed, device=device)
    facts["data_sha256"] = setting.content
    facts["lpips"] = lpips_or_reason(private.images[:1], private.images[:1])[1] or "available"
    candidates = lineup.size if scenario.batch == 1 and lineup.size > 1 else None
    bounds = {n: guarantee(d, scenario.delta, candidates) for n, d in shields.items()}
    record = Record(KIND, scenario.document(), rows, summary, baseline, bounds, facts, arrays)
    return judged(record, setting.schedules)
