"""Records made by code, of every kind that a report knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reports import records
from reports.page.outline import build_outline
from reports.page.section import Outline
from reports.panels.build import build_panels
from reports.panels.panel import Panel
from reports.records import Record
from reports.records.find import Source, gather
from reports.records.kinds import sort_out
from reports.records.membership import MembershipRecord
from reports.records.membership import parse as parse_membership
from reports.scores.prior import means_of

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def inversion(
    *,
    defense: str = "dprs",
    rate: float = 0.9,
    noise: float = 0.01,
    seed: int = 0,
    level: float = 24.0,
    naive: float | None = 9.0,
    prior: float = 13.0,
    images: int = 8,
    against: dict[str, float] | None = None,
    spread: float = 1.0,
    **changed: Any,
) -> Record:
    """A Record of attacks.invert whose mean PSNR is about ``level`` dB; ``against``: name -> dB."""
    offsets = np.linspace(-spread, spread, images)
    options = {"clip": 1.0, "noise_multiplier": noise, "rate": rate, "cooling": False}
    levels = [(defense, options, level, naive)]
    levels += [(name, {}, value, None) for name, value in (against or {}).items()]
    rows, arrays, bounds = [], {}, {}
    for name, own, adaptive, ignoring in levels:
        # The same defense, options and seed give the same scores, whatever it is shown beside.
        key = json.dumps([name, own]).encode()
        draw = np.random.default_rng([seed, *key])
        for column, mean in (("adaptive", adaptive), ("naive", ignoring)):
            if mean is None:
                continue
            arrays[f"{name}/{column}"] = torch.rand(images, 3, 16, 16)
            for image in range(images):
                psnr = mean + offsets[image] + 0.1 * draw.standard_normal()
                psnr = min(60.0, max(0.0, psnr))
                rows.append(
                    {
                        "image": image,
                        "defense": name,
                        "adaptive": column == "adaptive",
                        "attack": "bayes",
                        "psnr": psnr,
                        "ssim": min(1.0, psnr / 40),
                        "lpips": max(0.0, 0.6 - psnr / 60),
                        "seconds": 1.0,
                        "iterations": 10,
                        "stopped": "iterations",
                        "label": image,
                        "label_found": image if psnr > 15 else 9,
                        "wire_bytes": 100,
                        "rank": 1 if psnr > 15 else 7,
                        "fisher_psnr": None if own.get("noise_multiplier", 0) == 0 else psnr + 2,
                    }
                )
        guaranteed = own.get("noise_multiplier", 0) >= 0.1
        bounds[name] = {
            "options": own,
            "epsilon": 8.0 if guaranteed else None,
            "delta": 1e-5,
            "top1_of_1000": 0.05 if guaranteed else 1.0,
            "candidates": 64,
            "top1": 0.3 if guaranteed else 1.0,
        }
    arrays |= {"truth": torch.rand(images, 3, 16, 16), "prior": torch.rand(images, 3, 16, 16)}
    guesses = [
        {"image": i, "psnr": max(0.0, prior + offsets[i]), "ssim": 0.1, "lpips": 0.5}
        for i in range(images)
    ]
    baseline = {name: mean.document() for name, mean in means_of(guesses).items()}
    scenario = {
        "data": "photos",
        "images": images,
        "size": None,
        "batch": 1,
        "model": "lenet",
        "state": "untrained",
        "layers": "all",
        "split": "test",
        "step": None,
        "defense": defense,
        "defense_options": options,
        "against": sorted(against or {}),
        "attack": "auto",
        "attack_options": {},
        "columns": "both",
        "labels_known": False,
        "epsilon": None,
        "delta": 1e-5,
        "budget": 10.0,
        "seed": seed,
        **changed,
    }
    environment = {
        "date": "2026-11-22T03:00:34+00:00",
        "command": f"python -m attacks.invert --rate {rate} --seed {seed}",
    }
    return Record(
        "inversion",
        scenario,
        rows,
        {k: {} for k in arrays if "/" in k},
        {"mean_image": baseline, "shown": "mean_image", "rows": guesses},
        bounds,
        environment,
        arrays,
    )


def training(
    accuracy: float = 0.8, *, defense: str = "dprs", seed: int = 0, **options: Any
) -> Record:
    """A Record of victims.train; ``options`` are the defense's."""
    found = {"mean": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01, "n": 10_000}
    scenario = {
        "data": "photos",
        "model": "lenet",
        "defense": defense,
        "defense_options": options,
        "epochs": 3,
        "seed": seed,
    }
    bounds = {
        "noise_multiplier": options.get("noise_multiplier"),
        "delta": 1e-5,
        "epsilon": {"rdp": 3.2, "prv": 3.0},
        "holds": True,
    }
    rows = [{"epoch": 1, "accuracy": accuracy}]
    return Record("training", scenario, rows, {"accuracy": found}, {"accuracy": 0.1}, bounds, {})


def membership(
    *, examples: int = 400, gap: float = 1.0, pictures: int = 10, accuracy: float = 0.9
) -> Record:
    """A Record of membership inference with two attacks, the second blind; accuracy on members."""
    draw = np.random.default_rng(0)
    members = (np.arange(examples) % 2).astype(np.float32)
    arrays = {
        "members": torch.from_numpy(members),
        "scores/lira": torch.from_numpy(draw.standard_normal(examples) + gap * members),
        "scores/blind": torch.from_numpy(draw.standard_normal(examples)),
    }
    best, order = arrays["scores/lira"].numpy(), arrays["scores/lira"].argsort(descending=True)
    rows = [
        {
            "example": i,
            "member": bool(members[i]),
            "label": HOSTILE if i == int(order[members[order] > 0][0]) else f"class {i % 10}",
            "false_alarms": int((best[members == 0] >= best[i]).sum()),
            "scores": {name: float(arrays[f"scores/{name}"][i]) for name in ("lira", "blind")},
        }
        for i in order.tolist()
    ]
    arrays["exposed"] = torch.rand(pictures, 1, 8, 8)
    auc = {"lira": {"mean": 0.76, "low": 0.71, "high": 0.8, "n": examples}}
    scenario = {"data": "digits", "model": "mlp", "defense": "dpsgd", "seed": 0}
    bounds = {"epsilon": 1.0, "delta": 1e-5, "holds": True}
    models = {"target": {"inside": accuracy, "outside": 0.6, "start": 0.1}}
    summary = {"auc": auc, "strongest": "lira", "models": models}
    return Record("membership", scenario, rows, summary, {}, bounds, {}, arrays)


def audit() -> Record:
    """A Record of audits: two kept promises and a broken one, and one without a claim."""
    told = [(1.0, 0.4, ""), (4.0, 2.5, ""), (2.0, 3.1, "claim refuted"), (None, 5.0, "")]
    rows = [
        {
            "defense": "dpsgd",
            "method": "canary",
            "claimed": claimed,
            "audited": audited,
            "confidence": 0.95,
            **({"verdict": verdict} if verdict else {}),
        }
        for claimed, audited, verdict in told
    ]
    bounds = {"delta": 1e-5, "holds": True}
    return Record("audit", {"data": "digits", "seed": 0}, rows, {}, {}, bounds, {})


RATES, NOISES = (0.0, 0.9), (0.0, 0.01, 0.1)
KEY = "0123456789"


def sweep(folder: Path, *, shift: float = 0.0) -> None:
    """Rate x noise over two seeds as a sweep leaves it, with one failed job."""
    jobs, turn = [], 0
    for seed in (0, 1):
        for rate in RATES:
            for noise in NOISES:
                level = 30.0 - 8 * rate - 60 * noise - 8 * (noise == 0.1) + shift
                record = inversion(
                    rate=rate, noise=noise, seed=seed, level=level, against={"none": 32.0}
                )
                key = f"{turn:010x}"
                records.write(record, folder / key)
                jobs.append({"key": key, "argv": [], "command": record.environment["command"]})
                turn += 1
    failed = {
        "scenario": {"defense": HOSTILE},
        "command": "python -m attacks.invert --model nothing",
        "error": f"no such model {HOSTILE}",
        "traceback": "...",
    }
    (folder / KEY).mkdir()
    (folder / KEY / "error.json").write_text(json.dumps(failed))
    jobs.append({"key": KEY, "argv": []})
    (folder / "sweep.json").write_text(json.dumps({"jobs": jobs}))


def everything(folder: Path) -> None:
    """A Record of every kind, with hostile and broken ones among them."""
    sweep(folder / "sweep")
    one_of_each(folder)


def one_of_each(folder: Path) -> None:
    """The same without the sweep's."""
    for seed, accuracy in ((0, 0.80), (1, 0.82)):
        options = {"rate": 0.9, "noise_multiplier": 0.01, "clip": 1.0}
        records.write(training(accuracy, seed=seed, **options), folder / f"train-{seed}")
    records.write(training(0.7, rate=0.9, noise_multiplier=0.1, clip=1.0), folder / "train-loud")
    records.write(training(0.9, defense="none"), folder / "train-none")
    records.write(membership(), folder / "membership")
    records.write(audit(), folder / "audit")
    hostile = inversion(
        defense=HOSTILE, model=HOSTILE, data="$\\frac{", state=f"../{HOSTILE}\ud800\u202e.x"
    )
    hostile.environment["command"] = HOSTILE
    hostile.scenario[HOSTILE] = "</script><script>document.title='owned'</script>"
    records.write(hostile, folder / "hostile")
    wrong = inversion()
    wrong.rows[0]["psnr"] = HOSTILE
    records.write(wrong, folder / "wrong")
    (folder / "broken").mkdir()
    (folder / "broken" / "result.json").write_text('{"scenario": ')


def panels_of(folder: Path) -> list[Panel]:
    """The panels of the Records in or below a folder."""
    return build_panels(sort_out(gather([folder])).inversions)


def outline_of(folder: Path) -> Outline:
    """The whole report of the Records in or below a folder."""
    return build_outline(sort_out(gather([folder])), "title")


def images_named(
    folder: Path, top1: float, hits: int, images: int = 12, rates: Sequence[float] = (0.9,)
) -> None:
    """Records whose images cannot be rebuilt and of which ``hits`` are named among 64."""
    for rate in rates:
        record = inversion(rate=rate, level=8.0, images=images, against={"none": 32.0})
        record.bounds["dprs"] |= {"candidates": 64, "top1": top1, "epsilon": 1.0}
        for row in record.rows:
            row["rank"] = 1 if row["image"] < hits else 9
        records.write(record, folder / f"named-{rate}")


def scored(
    gap: float = 1.0, epsilon: float = 1.0, number: int = 1, attacks: int = 1
) -> MembershipRecord:
    """A membership Record as reports read it, with so many attacks more that guess."""
    record = membership(gap=gap)
    record.bounds["epsilon"] = epsilon
    draw = np.random.default_rng(5)
    for turn in range(attacks - 1):
        blind = draw.standard_normal(len(record.arrays["members"]))
        record.arrays[f"scores/blind-{turn}"] = torch.from_numpy(blind)
    return parse_membership(record, Source(record, number=number))
