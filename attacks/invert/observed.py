"""Attack a captured update: no truth, so the guess is written and drawn but not scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Threat, registry
from attacks.invert.exposure import attacked
from attacks.invert.observation import load_observation
from attacks.invert.setting import AUXILIARY, load_victim
from attacks.invert.show import FIGURE
from attacks.progress import Progress
from attacks.scenario import Scenario
from attacks.shields import build_defenses, guarantee
from defenses import stream
from reports import figures, records
from reports.confidence import summarise
from reports.environment import environment
from reports.records import Record


def observed(
    scenario: Scenario, path: Path, out: Path, *, device: str, data_root: str | None
) -> int:
    """Attack a captured update: there is no truth, so the guess is written and drawn unscored."""
    where = {"root": data_root, "size": scenario.size, "seed": scenario.seed}
    auxiliary = victims.load_data(
        scenario.data,
        split="train",
        count=AUXILIARY,
        at_most=True,
        **where,  # type: ignore[arg-type]
    )
    channels, height, width = auxiliary.images.shape[1:]
    shield = build_defenses(dataclasses.replace(scenario, against=()))[scenario.defense]
    model = load_victim(scenario, (channels, height, width), auxiliary.classes, shield).to(device)
    release = load_observation(path, model, shield, scenario.batch)
    release = dataclasses.replace(
        release, update={k: v.to(device) for k, v in release.update.items()}
    )
    adaptive = scenario.columns != "naive"
    column = f"{scenario.defense}/{'adaptive' if adaptive else 'naive'}"
    threat = Threat(
        shield,
        adaptive,
        (channels, height, width),
        auxiliary.classes,
        scenario.batch,
        auxiliary.images,
        auxiliary.labels,
        scenario.budget,
    )
    attack = registry.get(scenario.attack, **scenario.attack_options)
    with Progress() as report:
        report("practising on auxiliary images", 0, 2)
        draw = stream(scenario.seed, "practice", scenario.defense, adaptive)
        attack = attack.tuned(model, cross_entropy, threat, generator=draw)
        report("attacking the observation", 1, 2)
        draw = stream(scenario.seed, "attack", column, 0)
        guess = attacked(attack, model, cross_entropy, release, threat, generator=draw)
    rows = [
        {
            "image": i,
            "defense": scenario.defense,
            "adaptive": adaptive,
            "attack": guess.attack,
            "psnr": None,
            "ssim": None,
            "lpips": None,
            "iterations": guess.iterations,
            "stopped": guess.stopped,
            "label_found": int(label),
            "wire_bytes": release.wire_bytes,
        }
        for i, label in enumerate(guess.labels)
    ]
    unknown = {s: summarise([]) for s in ("psnr", "ssim", "lpips")}
    facts = {**scenario.document(), "observation": path.name}
    record = Record(
        facts,
        rows,
        {column: unknown},
        {},
        {scenario.defense: guarantee(shield, scenario.delta)},
        environment(seed=scenario.seed, device=device),
        {column: torch.clone(guess.images)},
    )
    out.mkdir(parents=True, exist_ok=True)
    figures.reconstructions(record, out / FIGURE)
    records.write(record, out)
    found = ", ".join(str(r["label_found"]) for r in rows)
    print(f"{path.name}: {guess.attack} recovered {len(rows)} image(s), labels {found}; unscored")
    print(f"\n{out / 'result.json'}\n{out / 'arrays.safetensors'}\n{out / FIGURE}")
    return 0
