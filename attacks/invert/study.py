"""One inversion Scenario from private images to a Record: the place where the rooms meet."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from scipy.stats import norm
from torch import Tensor
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.contract import Guess, Inversion, Threat, registry
from attacks.invert.matching import require
from attacks.scenario import COLUMNS, Scenario, stream
from defenses import BadInput, Defense
from reports import scores
from reports.backbone import Unavailable
from reports.confidence import summarise
from reports.environment import environment
from reports.records import Partial, Record

AUXILIARY = 256
"""At most this many images of the training split are the adversary's own."""
SCORES = ("psnr", "ssim", "lpips")
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
    private = victims.load_data(scenario.data, count=scenario.images, **where)
    auxiliary = victims.load_data(
        scenario.data, split="train", count=AUXILIARY, at_most=True, **where
    )
    channels, height, width = private.images.shape[1:]
    shape = (channels, height, width)
    model = load_victim(scenario, shape, private.classes).to(device)
    shields = build_defenses(scenario)
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
            classes=private.classes,
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
                if habit not in tuned:
                    report(f"{column}: practising on auxiliary images", done, total)
                    practice = dataclasses.replace(threat, defense=defenses.get("none"))
                    tuned[habit] = attack.tuned(
                        model,
                        cross_entropy,
                        threat if adaptive else practice,
                        generator=stream(scenario.seed, "practice", *habit),
                    )
                report(f"{column}: batch {index + 1} of {batches}", done, total)
                grads = victims.per_example_gradients(model, cross_entropy, images, labels)
                release = shields[name].release(
                    grads, generator=stream(scenario.seed, "release", name, index)
                )
                known = labels.cpu() if scenario.labels_known else None
                began = time.perf_counter()
                guess = tuned[habit].reconstruct(
                    model,
                    cross_entropy,
                    release,
                    dataclasses.replace(threat, labels=known),
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
    facts["lpips"] = _lpips(private.images[:1], private.images[:1])[1] or "available"
    bounds = {n: guarantee(d, scenario.delta) for n, d in shields.items()}
    return Record(scenario.document(), rows, summary, baseline, bounds, facts, arrays)


def load_victim(scenario: Scenario, shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    """The scenario's model, untrained or from its weights file."""
    return victims.load_model(
        scenario.model,
        image_shape=shape,
        classes=classes,
        weights=None if scenario.state == "untrained" else scenario.state,
        generator=stream(scenario.seed, "model"),
    )


def build_defenses(scenario: Scenario) -> dict[str, Defense]:
    """The defenses to compare, the one under study last, all at the same options and epsilon."""
    main = defenses.get(scenario.defense, **scenario.defense_options)
    options = {f.name: getattr(main, f.name) for f in dataclasses.fields(main)}
    shields = {}
    for name in (*(n for n in scenario.against if n != scenario.defense), scenario.defense):
        fields = {f.name for f in dataclasses.fields(defenses.registry.find(name))}
        shields[name] = defenses.get(name, **{k: v for k, v in options.items() if k in fields})
    if scenario.epsilon is None:
        return shields
    noise = defenses.noise_for_epsilon(
        scenario.epsilon, steps=1, sample_rate=1, delta=scenario.delta
    )
    for name, shield in shields.items():
        if hasattr(shield, "noise_multiplier"):
            changed: dict[str, Any] = {"noise_multiplier": noise}
            loud = dataclasses.replace(shield, **changed)
            if math.isfinite(loud.epsilon(steps=1, sample_rate=1, delta=scenario.delta)):
                shields[name] = loud
                continue
        if name == scenario.defense:
            raise BadInput(f"defense {name!r} guarantees no epsilon, so --epsilon cannot set it")
    return shields


def guarantee(shield: Defense, delta: float) -> dict[str, Any]:
    """What theory says of one release: epsilon (None: infinite) and the candidate bound.

    ``top1_of_1000``: with 1,000 equally likely candidates, no attack names the right one more
    often, Phi(Phi^-1(1/1000) + 1/sigma) (Hayes et al. 2023, full batch, one step).
    """
    options = {f.name: getattr(shield, f.name) for f in dataclasses.fields(shield)}
    epsilon = shield.epsilon(steps=1, sample_rate=1, delta=delta)
    top1 = 1.0
    noise = options.get("noise_multiplier", 0)
    if math.isfinite(epsilon) and noise > 0:
        top1 = float(norm.cdf(norm.ppf(1e-3) + 1 / noise))
    return {
        "options": {k: v for k, v in options.items() if isinstance(v, int | float)},
        "epsilon": epsilon if math.isfinite(epsilon) else None,
        "delta": delta,
        "top1_of_1000": top1,
    }


def prior_baseline(truth: Tensor, auxiliary: Tensor, arrays: dict[str, Tensor]) -> dict[str, Any]:
    """Scores of guesses made without any release, from the adversary's own images.

    ``mean_image`` is their mean. ``nearest_auxiliary`` is the one closest to the truth, picked
    with the truth in hand: more than an adversary can do, so it errs on the careful side. The
    one with the higher mean PSNR goes into ``arrays["prior"]``.
    """
    mean = auxiliary.mean(0, keepdim=True).expand_as(truth)
    distance = torch.cdist(truth.flatten(1).double(), auxiliary.flatten(1).double())
    found: dict[str, Any] = {}
    rows = {}
    guesses = {"mean_image": mean, "nearest_auxiliary": auxiliary[distance.argmin(1)]}
    for name, guess in guesses.items():
        rows[name] = score_rows(guess, truth)
        found[name] = {s: summarise([r[s] for r in rows[name]]) for s in SCORES}
    best = max(guesses, key=lambda n: found[n]["psnr"]["mean"])
    arrays["prior"] = guesses[best].contiguous()
    shown = [{"image": i, **row} for i, row in enumerate(rows[best])]
    return {**found, "shown": best, "rows": shown}


def score_rows(guess: Tensor, truth: Tensor) -> list[dict[str, float | None]]:
    """PSNR, SSIM and LPIPS of each image; None where a score cannot be had."""
    count = len(truth)
    decibel = scores.psnr(guess, truth).tolist()
    small = min(truth.shape[2:]) < scores.WINDOW
    similar = [None] * count if small else scores.ssim(guess, truth).tolist()
    perceived = _lpips(guess, truth)[0]
    columns = zip(decibel, similar, perceived, strict=True)
    return [dict(zip(SCORES, values, strict=True)) for values in columns]


def _lpips(guess: Tensor, truth: Tensor) -> tuple[list[float | None], str]:
    """LPIPS per image and no reason, or Nones and why not."""
    try:
        return scores.lpips(guess, truth).tolist(), ""
    except Unavailable as error:
        return [None] * len(truth), str(error)


def _score(
    guess: Guess, truth: Tensor, labels: Tensor, seconds: float, wire_bytes: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Rows and arrays of one batch, after pairing guesses with the truth."""
    order = scores.assign(guess.images, truth)
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
