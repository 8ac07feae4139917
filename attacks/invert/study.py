"""One inversion Scenario from private images to a Record: the place where the rooms meet."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.contract import Guess, Inversion, Threat, registry
from attacks.invert.matching import require
from attacks.scenario import COLUMNS, Scenario
from attacks.shields import build_defenses, guarantee
from defenses import BadInput, Defense, Side, stream
from reports.baseline import SCORES, lpips_or_reason, prior_baseline, score_rows
from reports.confidence import summarise
from reports.environment import environment
from reports.records import Partial, Record
from reports.scores import assign
from victims.features import split_last

AUXILIARY = 256
"""At most this many images of the other split are the adversary's own."""
ANCHORS = 128
"""So many of them are public for defenses that learn from public data."""
Report = Callable[[str, int, int], None]


def study(
    scenario: Scenario,
    *,
    out: Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
) -> Record:
    """See `attacks.run`."""
    where: dict[str, Any] = {"root": data_root, "size": scenario.size, "seed": scenario.seed}
    other = "train" if scenario.split == "test" else "test"
    private = victims.load_data(scenario.data, split=scenario.split, count=scenario.images, **where)
    auxiliary = victims.load_data(
        scenario.data, split=other, count=AUXILIARY, at_most=True, **where
    )
    channels, height, width = private.images.shape[1:]
    shape = (channels, height, width)
    if auxiliary.images.shape[1:] != private.images.shape[1:]:
        sizes = f"{tuple(auxiliary.images.shape[1:])} and {shape}"
        raise BadInput(f"the train and test images of {scenario.data} differ in shape: {sizes}")
    classes = max(private.classes, auxiliary.classes)
    model = load_victim(scenario, shape, classes).to(device)
    shields = {
        name: with_public(shield, model, auxiliary, device)
        for name, shield in build_defenses(scenario).items()
    }
    attack = registry.get(scenario.attack, **scenario.attack_options)
    partial = Partial(out) if out else None
    cells = [(n, a) for n in shields for a in COLUMNS[scenario.columns] if n != "none" or a]
    if ("none" in shields) and scenario.columns == "naive":
        cells.insert(0, ("none", True))  # nothing to replay: both attackers are the same one
    batches = scenario.images // scenario.batch
    total, done = len(cells) * (batches + 1), 0
    rows: list[dict[str, Any]] = []
    arrays: dict[str, Tensor] = {"truth": private.images}
    tuned: dict[tuple[str, bool], Inversion] = {}
    for name, adaptive in cells:
        column = f"{name}/{'adaptive' if adaptive else 'naive'}"
        threat = Threat(
            defense=shields[name],
            adaptive=adaptive,
            image_shape=shape,
            classes=classes,
            batch_size=scenario.batch,
            auxiliary_images=auxiliary.images,
            auxiliary_labels=auxiliary.labels,
            seconds=scenario.budget,
        )
        require(attack.refusal(model, threat), attack.name)
        guesses: list[Tensor] = []
        for index in range(batches):
            part = slice(index * scenario.batch, (index + 1) * scenario.batch)
            images, labels = private.images[part].to(device), private.labels[part].to(device)
            key = f"{scenario.key()}-{column.replace('/', '-').replace(':', '.')}-{index}"
            piece = partial.load(key) if partial else None
            if piece is None:
                # A naive adversary practises as if there were no defense, so all share a plan.
                habit = (name, True) if adaptive else ("none", True)
                known = labels.cpu() if scenario.labels_known else None
                informed = dataclasses.replace(threat, labels=known)
                if habit not in tuned:
                    report(f"{column}: practising on auxiliary images", done, total)
                    practice = dataclasses.replace(informed, defense=defenses.get("none"))
                    tuned[habit] = attack.tuned(
                        model,
                        cross_entropy,
                        informed if adaptive else practice,
                        generator=stream(scenario.seed, "practice", *habit),
                    )
                report(f"{column}: batch {index + 1} of {batches}", done, total)
                grads = victims.per_example_gradients(model, cross_entropy, images, labels)
                release = shields[name].release(
                    grads, generator=stream(scenario.seed, "release", name, index)
                )
                began = time.perf_counter()
                guess = tuned[habit].reconstruct(
                    model,
                    cross_entropy,
                    release,
                    informed,
                    generator=stream(scenario.seed, "attack", column, index),
                )
                seconds = (time.perf_counter() - began) / scenario.batch
                piece = _score(guess, images.cpu(), labels.cpu(), seconds, release.wire_bytes)
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
    summary = {
        f"{n}/{'adaptive' if a else 'naive'}": {
            s: summarise([r[s] for r in rows if (r["defense"], r["adaptive"]) == (n, a)])
            for s in SCORES
        }
        for n, a in cells
    }
    facts = environment(seed=scenario.seed, device=device)
    facts["lpips"] = lpips_or_reason(private.images[:1], private.images[:1])[1] or "available"
    bounds = {n: guarantee(d, scenario.delta) for n, d in shields.items()}
    return Record(scenario.document(), rows, summary, baseline, bounds, facts, arrays)


def with_public(
    shield: Defense, model: torch.nn.Module, auxiliary: victims.Data, device: str
) -> Defense:
    """A defense that learns from public data is given the adversary's own: everyone has them."""
    if "anchors" not in shield.wants:
        return shield
    images, labels = auxiliary.images[:ANCHORS].to(device), auxiliary.labels[:ANCHORS].to(device)
    anchors = victims.per_example_gradients(model, cross_entropy, images, labels)
    return shield.informed(Side(anchors=anchors))


def load_victim(scenario: Scenario, shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    """The scenario's model, untrained or from its weights file."""
    model = victims.load_model(
        scenario.model,
        image_shape=shape,
        classes=classes,
        weights=None if scenario.state == "untrained" else scenario.state,
        generator=stream(scenario.seed, "model"),
    )
    return split_last(model) if scenario.layers == "last" else model


def _score(
    guess: Guess, truth: Tensor, labels: Tensor, seconds: float, wire_bytes: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Rows and arrays of one batch, after pairing guesses with the truth."""
    order = assign(guess.images, truth)
    images = guess.images[order].contiguous()
    rows = [
        {
            "position": position,
            "attack": guess.attack,
            **values,
            "seconds": seconds,
            "iterations": guess.iterations,
            "stopped": guess.stopped,
            "label": int(labels[position]),
            "label_found": int(guess.labels[order[position]]),
            "wire_bytes": wire_bytes,
        }
        for position, values in enumerate(score_rows(images, truth))
    ]
    return {"rows": rows}, {"guess": images}
