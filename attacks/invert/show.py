"""Run an inversion with a progress bar, write its files, print its table."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import victims
from attacks.invert.contract import Threat, registry
from attacks.invert.observation import load_observation
from attacks.invert.study import AUXILIARY, build_defenses, guarantee, load_victim, study
from attacks.scenario import Scenario, stream
from defenses import BadInput
from reports import figures, records
from reports.confidence import Summary, show
from reports.environment import environment
from reports.records import Record

FIGURE = "reconstructions.png"


def attacked(
    scenario: Scenario, out: Path, *, fresh: bool, device: str, data_root: str | None
) -> int:
    """Run or reuse the Scenario in ``out``; write result.json, arrays, figure; print. Returns 0."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; it must be a folder")
    if fresh:
        shutil.rmtree(out / "partial", ignore_errors=True)
        (out / "result.json").unlink(missing_ok=True)
    record = records.read(out)
    if record is not None and record.scenario == scenario.document():
        print(f"{out} holds this result already (--fresh runs it again)")
    else:
        with Progress() as bar:
            record = study(scenario, out=out, device=device, data_root=data_root, report=bar)
        out.mkdir(parents=True, exist_ok=True)
        figures.reconstructions(record, out / FIGURE)
        records.write(record, out)
    print(table(record))
    print(f"\n{out / 'result.json'}\n{out / 'arrays.safetensors'}\n{out / FIGURE}")
    return 0


class Progress:
    """A progress bar that appears with the first report, so that bad input prints one line."""

    def __init__(self) -> None:
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, line: str, done: int, total: int) -> None:
        """Show a line of progress, the pieces done and the pieces in all."""
        if self.bar is None:
            self.bar = tqdm(total=total, unit="piece", dynamic_ncols=True, leave=False)
        self.bar.n = done
        self.bar.set_description_str(line)


def table(record: Record) -> str:
    """The Record's means, intervals and guarantees as text."""
    facts = record.scenario
    head = f"{'defense':<10}{'attacker':<11}{'PSNR dB':>20}{'SSIM':>21}{'LPIPS':>21}{'s/image':>9}"
    count = f"{facts['images']} images, batch {facts['batch']}"
    lines = [
        f"{facts['data']}: {count}, {facts['model']} ({facts['state']}), attack {facts['attack']}",
        "mean [95% bootstrap interval over images]; PSNR capped at 60 dB; LPIPS: lower is closer",
        head,
        "-" * len(head),
    ]
    for name in ("mean_image", "nearest_auxiliary"):
        lines.append(_line("(prior)", name.replace("_", " ")[:10], record.baseline[name], ""))
    for name, summary in record.summary.items():
        defense, column = name.split("/")
        rows = [r for r in record.rows if r["defense"] == defense]
        rows = [r for r in rows if r["adaptive"] == (column == "adaptive")]
        seconds = f"{sum(r['seconds'] for r in rows) / len(rows):.1f}"
        cut = "*" if any(r["stopped"] == "time" for r in rows) else ""
        lines.append(_line(defense, column, summary, seconds + cut))
    if any(r["stopped"] == "time" for r in record.rows):
        lines.append("* cut short by --budget: a rerun need not give the same pixels")
    lines += ["", *(promise(name, bound) for name, bound in record.bounds.items())]
    if record.environment.get("lpips", "available") != "available":
        lines.append(f"LPIPS unavailable: {record.environment['lpips']}")
    return "\n".join(lines)


def _line(defense: str, column: str, summary: dict[str, Summary], seconds: str) -> str:
    cells = [show(summary[s], d) for s, d in (("psnr", 1), ("ssim", 2), ("lpips", 2))]
    return f"{defense:<10}{column:<11}{cells[0]:>20}{cells[1]:>21}{cells[2]:>21}{seconds:>9}"


def promise(name: str, bound: dict[str, float | None]) -> str:
    """One sentence: what this one release guarantees."""
    if bound["epsilon"] is None:
        return f"{name}: no privacy guarantee (epsilon = inf)."
    text = f"{name}: this one release is ({bound['epsilon']:.4g}, {bound['delta']:g})-DP"
    text += "; of 1,000 candidates an attacker names the right one with p <= "
    text += f"{bound['top1_of_1000']:.3g}"
    if name == "dprs":
        text += ". Its sparsity buys no epsilon: this is DP-SGD's"
    return text + "."


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
    model = load_victim(scenario, (channels, height, width), auxiliary.classes).to(device)
    shield = build_defenses(dataclasses.replace(scenario, against=()))[scenario.defense]
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
    with tqdm(total=2, unit="piece", desc="practising on auxiliary images", leave=False) as bar:
        draw = stream(scenario.seed, "practice", scenario.defense, adaptive)
        attack = attack.tuned(model, cross_entropy, threat, generator=draw)
        bar.update()
        bar.set_description_str("attacking the observation")
        draw = stream(scenario.seed, "attack", column, 0)
        guess = attack.reconstruct(model, cross_entropy, release, threat, generator=draw)
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
    unknown = {
        s: {"mean": None, "low": None, "high": None, "n": 0} for s in ("psnr", "ssim", "lpips")
    }
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
