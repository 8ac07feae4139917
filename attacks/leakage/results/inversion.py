"""The result of an inversion: how close the guesses came, under both attackers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from attacks.invert.show import promise
from attacks.leakage.numbers import CANNOT_JUDGE, Leak, Verdict, show_estimate
from attacks.leakage.results.result import Result, Units, sources
from defenses import BadInput
from defenses.conformance import CHECKS
from reports.charts.reconstructions import reconstruction_chart
from reports.charts.render import save
from reports.estimates import Estimate
from reports.evidence.refuted import panel_refutations
from reports.panels.build import build_panels
from reports.panels.panel import Panel
from reports.panels.pooled import PooledScores
from reports.panels.setting import Setting
from reports.records import Record, inversion
from reports.scores import SCORES

FOLLOWED = ("replay", "adaptive")
"""Checks of the conformance suite without which the adaptive numbers mean nothing."""


@dataclass(frozen=True, eq=False, repr=False)
class Inverted(Result):
    """Scores of one attacker, the adaptive one where it was run; `naive` has the other's.

    Attributes:
        column: ``adaptive`` or ``naive``.
    """

    column: str = "adaptive"

    kind: ClassVar[str] = "inversion"

    @property
    def psnr(self) -> Leak:
        """Mean PSNR in dB over the images, capped at 60; higher leaks more."""
        return self._score("psnr")

    @property
    def ssim(self) -> Leak:
        """Mean SSIM; higher leaks more."""
        return self._score("ssim")

    @property
    def lpips(self) -> Leak:
        """Mean LPIPS; *lower* leaks more. Not measured where its weights cannot be had."""
        return self._score("lpips")

    @property
    def gain(self) -> Leak:
        """PSNR above guessing without the release, dB, paired by image."""
        return self._leak("PSNR above guessing", self._scores.gain, "dB")

    @property
    def named(self) -> Leak:
        """How often the private image was named first among N candidates (batches of one)."""
        guarantee = self._setting.guarantee
        total = guarantee.candidates
        leak = self._leak(f"share named among {total}", self._scores.named)
        if not total or not self._scores.named.known:
            return leak
        return replace(leak, baseline=Estimate.exact(1 / total), bound=guarantee.top1)

    @property
    def epsilon(self) -> float:
        """Of one release."""
        return self._setting.guarantee.epsilon

    @property
    def doubt(self) -> str:
        """See `Result.doubt`: of the undefended update, the clock, or the naive attacker alone."""
        return self._setting.doubt_of(self.column)

    @cached_property
    def adaptive(self) -> Verdict:
        """Whether these are the numbers of an attacker who knows the defense.

        The adaptive column was run and not cut short, the same attack rebuilds the undefended
        update of the same images, and the defense's `replay` explains its releases and has
        slopes (`defenses.conformance`): an attacker who follows a wrong replay is none.
        """
        if self.column != "adaptive":
            return Verdict.of(False, "these are the naive attacker's numbers")
        for check in CHECKS:  # first, for what is wrong with a replay says more than that it is
            if check.name in FOLLOWED:
                finding = check(self.subject.defense)
                if not finding.holds:
                    return Verdict.of(False, f"conformance, {finding.check}: {finding.told}")
        if self.doubt:
            return Verdict.of(False, f"{CANNOT_JUDGE}: {self.doubt}")
        return Verdict.of(True, "the attacker replays the defense")

    @property
    def naive(self) -> Inverted:
        """The attacker who takes the release for a mean gradient.

        Raises:
            BadInput: that one was not run.
        """
        if self.subject.name == "none":
            return self  # nothing to replay: both are the same one
        if "naive" not in self._setting.scores:
            raise BadInput("the naive attacker was not run; leave columns at 'both'")
        return replace(self, column="naive")

    def leaks(self) -> list[Leak]:
        """PSNR of both attackers, and the candidate game."""
        found = [self.psnr]
        if self.column == "adaptive" and "naive" in self._setting.scores:
            found.append(self.naive.psnr)
        if self._panel.prior is not None:
            found.append(Leak("guessing", self._panel.prior.estimate("psnr"), "dB"))
        return found + ([self.named] if self._scores.named.known else [])

    def contradictions(self) -> list[str]:
        """The image named more often than the guarantee allows."""
        own = self._setting.anchor
        return [found.text for found in panel_refutations(self._panel) if found.anchor == own]

    def units(self) -> dict[str, Units]:
        """Every score of every image, and the share of candidates that explain less than it does.

        That share moves before `named` does: an image in the second place of 64 is not safe.
        """
        column = self._scores
        values = {name: column.values[name] for name in SCORES}
        others = max(1, self._setting.guarantee.candidates - 1)
        values["outranked"] = 1 - (column.values["rank"] - 1) / others
        keys = [f"{s}/{i}" for s, i in zip(column.seeds, column.images, strict=True)]
        return {
            name: {k: float(v) for k, v in zip(keys, row, strict=True) if np.isfinite(v)}
            for name, row in values.items()
            if np.isfinite(row).any()
        }

    def context(self) -> list[str]:
        """Figure, guarantee, the other attacker."""
        lines = [f"figure: {self.figure}"]
        lines.append(promise(self.subject.name, self.records[0].bounds[self.subject.name]))
        lines += self.refutation
        held = self._setting.guarantee.round
        lines += [held.told()] if held else []
        if self.column == "adaptive" and "naive" in self._setting.scores:
            psnr = self._setting.scores["naive"].estimate("psnr")
            lines.append(f"naive attack: PSNR {show_estimate(psnr, 'dB')}")
        lines += [self._setting.outdone] if self._setting.outdone else []
        if self._scores.clocked:
            lines.append(
                "the clock cut attacks short: a rerun may differ; raise budget or leave it out"
            )
        return lines

    def draw(self, record: Record, folder: Path) -> Path:
        """The reconstructions beside the truth."""
        return save(reconstruction_chart(record), folder / "reconstructions.png")

    @cached_property
    def _panel(self) -> Panel:
        parsed = [inversion.parse(s.record, s) for s in sources(self.records, self.folder)]
        return build_panels(parsed)[0]

    @cached_property
    def _setting(self) -> Setting:
        return next(s for s in self._panel.settings if s.defense == self.subject.name)

    @property
    def _scores(self) -> PooledScores:
        return self._setting.scores[self.column]

    def _score(self, name: str) -> Leak:
        score, prior = SCORES[name], self._panel.prior
        return replace(
            self._leak(score.label, self._scores.estimate(name), score.unit),
            baseline=None if prior is None else prior.estimate(name),
            worse="high" if score.higher_is_closer else "low",
        )

    def _leak(self, name: str, found: Estimate, unit: str = "") -> Leak:
        return Leak(f"{self.column} {name}", found, unit, context=self.context, doubt=self.doubt)
