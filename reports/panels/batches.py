"""Settings of panels that differ in the batch alone: what an example hides behind the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.estimates import Estimate
from reports.panels.panel import Panel
from reports.panels.setting import Setting


@dataclass(frozen=True)
class Batch:
    """One setting attacked at one batch size.

    Attributes:
        size: examples per update, B.
        setting: that was attacked.
    """

    size: int
    setting: Setting

    @property
    def spread(self) -> tuple[float, float, float]:
        """PSNR in dB of the worst, the median and the best example; NaN where none is scored."""
        judged = self.setting.judged
        values = np.array([]) if judged is None else judged.values["psnr"]
        scored = values[np.isfinite(values)]
        if not len(scored):
            return (np.nan, np.nan, np.nan)
        return (float(scored.min()), float(np.median(scored)), float(scored.max()))

    @property
    def named(self) -> Estimate:
        """The share of labels that were found, with its exact interval."""
        judged = self.setting.judged
        hits = np.array([]) if judged is None else judged.values["label"]
        known = hits[np.isfinite(hits)]
        return Estimate.share(int(known.sum()), len(known))


@dataclass(frozen=True)
class Batches:
    """A victim under one defense at several batch sizes.

    Attributes:
        anchor: names it within the page.
        victim: model and data, for people.
        label: of the setting; the same at every size.
        sizes: by B, at least two of them.
    """

    anchor: str
    victim: str
    label: str
    sizes: tuple[Batch, ...]


def batches_of(panels: Sequence[Panel]) -> list[Batches]:
    """Every setting that was attacked at two batch sizes or more, all else equal."""
    groups: dict[str, list[tuple[Panel, Setting]]] = {}
    for panel in panels:
        facts = {k: v for k, v in panel.facts.items() if k != "batch"}
        for setting in panel.settings:
            key = json.dumps([facts, setting.defense, setting.variant.options], sort_keys=True)
            groups.setdefault(key, []).append((panel, setting))
    found: list[Batches] = []
    for members in groups.values():
        sizes = sorted(
            (Batch(int(p.facts.get("batch", 1)), s) for p, s in members), key=lambda b: b.size
        )
        if len({b.size for b in sizes}) > 1:
            panel, setting = members[0]
            victim = f"{panel.facts['model']}, {panel.facts['data']}"
            anchor = f"batches-{len(found) + 1}"
            found.append(Batches(anchor, victim, setting.label, tuple(sizes)))
    return sorted(found, key=lambda b: b.victim)
