"""The Record of a captured update as lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attacks.invert.show import CUT
from reports.estimates import Estimate
from reports.estimates.counts import count_of
from reports.evidence.control import MISREPLAYED
from reports.records import Record
from reports.records.explained import sentences
from reports.records.inversion import is_cut_short, rows_of


def headline(record: Record) -> str:
    """What was recovered, scored or not, and how much of the update it explains."""
    (rows,) = rows_of(record).values()
    found = ", ".join(str(row["label_found"]) for row in rows)
    name, attack = record.scenario["observation"], rows[0]["attack"]
    if later := record.scenario.get("later_rounds"):
        name += f" and {count_of(len(later), 'later round')}"
    images = count_of(len(rows), "image")
    lines = [f"{name}: {attack} guessed {images}, label{'s' * (len(rows) > 1)} {found}"]
    if "explained" in record.baseline:
        lines.append(sentences(record.baseline["explained"]))
    else:
        defense = record.scenario["defense"]
        lines.append(f"what it explains is not told: {defense} acts before the gradient")
    if "shown" in record.baseline:
        lines += ["image      PSNR dB    SSIM   LPIPS", *map(_score_line, rows)]
        best = record.baseline["shown"]
        mean = Estimate.read(record.baseline[best]["psnr"]).show()
        lines.append(f"a guess without the update ({best.replace('_', ' ')}): {mean} dB")
    else:
        lines.append("unscored: --truth PICTURE scores it")
    if told := record.bounds[record.scenario["defense"]].get("replay"):
        lines.append(f"{record.scenario['defense']}: {MISREPLAYED}: {told}")
    if is_cut_short(rows):
        lines.append(CUT)
    return "\n".join(lines)


def _score_line(row: Mapping[str, Any]) -> str:
    """One guess's scores as a line of a table."""
    cells = (
        f"{'-' if row[name] is None else format(row[name], f'.{digits}f'):>{wide}}"
        for name, digits, wide in (("psnr", 1, 13), ("ssim", 2, 8), ("lpips", 2, 8))
    )
    return f"{row['image']:>5}{''.join(cells)}"
