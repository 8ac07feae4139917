"""What the fixture `leakage` is: run a test of a defense, and hold its result to a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import attacks
from attacks.audit.study import study as audited
from attacks.leakage import defaults
from attacks.leakage.baselines import check as checking
from attacks.leakage.baselines import store
from attacks.leakage.baselines.file_name import plain
from attacks.leakage.baselines.growth import Growth
from attacks.leakage.numbers import CANNOT_JUDGE
from attacks.leakage.results.audit import Audited
from attacks.leakage.results.inversion import Inverted
from attacks.leakage.results.membership import Exposed
from attacks.leakage.results.result import Result, shorten
from attacks.leakage.subject import Subject
from attacks.membership.study import study as exposed
from defenses import BadInput, Defense
from defenses.conformance import Finding, examine
from reports.records.column import ADAPTIVE, NAIVE, Column

R = TypeVar("R", bound=Result)


@dataclass(repr=False)
class Leakage:
    """Attacks on the defense that a test is about.

    Every method takes an instance (of a registered class or of one's own, wherever it is
    written) or a name with ``defense_options``, and fields of the job as keywords.

    Attributes:
        out: folder for figures and Records.
        baselines: folder of the stored baselines.
        test: name of the running test, which names its baseline.
        update: store results as baselines, rather than compare.
        tell: is given the lines for the terminal's summary.
        keep: write figures and Records whether somebody asks for them or not.
        command: that runs the test again, for the Records.
    """

    out: Path
    baselines: Path
    test: str
    update: bool = False
    tell: Callable[[str], None] = lambda line: None
    keep: bool = False
    command: str = ""
    _runs: int = field(default=0, init=False)
    _checked: set[Path] = field(default_factory=set, init=False)

    def invert(
        self,
        defense: Defense | str,
        *,
        defense_options: Mapping[str, Any] | None = None,
        seeds: int = 1,
        **fields: Any,
    ) -> Inverted:
        """Rebuild images from releases, by an attacker who knows the defense and a naive one.

        Args:
            defense: see `Leakage`.
            defense_options: of a defense given by name.
            seeds: so many Scenarios at successive seeds are pooled.
            fields: of `attacks.Scenario`; else those of `defaults.INVERSION`.

        Raises:
            BadInput: no such Scenario.
        """
        subject = Subject.of(defense, defense_options)
        if seeds < 1:
            raise BadInput(f"seeds is {seeds}; it must be >= 1")
        first = int(fields.pop("seed", 0))
        with defaults.quiet(), subject.known():
            jobs = [defaults.scenario(subject, {**fields, "seed": first + i}) for i in range(seeds)]
            records = tuple(attacks.run(job) for job in jobs)
        column = ADAPTIVE if Column(subject.name, ADAPTIVE).key in records[0].summary else NAIVE
        return self._announce(Inverted(subject, records, self._folder("inversion"), column))

    def membership(
        self,
        defense: Defense | str,
        *,
        defense_options: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Exposed:
        """Train a model and shadow models under the defense, and tell members from others.

        Args:
            defense: see `Leakage`.
            defense_options: of a defense given by name.
            fields: of `victims.training.Training` and `attacks.membership.Scenario`; else
                those of `defaults.MEMBERSHIP`.

        Raises:
            BadInput: no such Scenario.
        """
        subject = Subject.of(defense, defense_options)
        with defaults.quiet(), subject.known():
            record = exposed(defaults.membership(subject, fields))
        strongest = str(record.summary["strongest"])
        return self._announce(Exposed(subject, (record,), self._folder("membership"), strongest))

    def audit(
        self,
        defense: Defense | str,
        *,
        defense_options: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Audited:
        """Train with canaries under the defense, and prove a lower bound on epsilon.

        Args:
            defense: see `Leakage`.
            defense_options: of a defense given by name.
            fields: of `victims.training.Training` and `attacks.audit.Scenario`; else those of
                `defaults.AUDIT`.

        Raises:
            BadInput: no such Scenario.
        """
        subject = Subject.of(defense, defense_options)
        with defaults.quiet(), subject.known():
            record = audited(defaults.audit(subject, fields))
        return self._announce(Audited(subject, (record,), self._folder("audit")))

    def conforms(
        self,
        defense: Defense | str,
        *,
        defense_options: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> list[Finding]:
        """All of `defenses.conformance`: the findings, when every check holds.

        Raises:
            AssertionError: some do not; a line for each.
        """
        __tracebackhide__ = True
        subject = Subject.of(defense, defense_options)
        with defaults.quiet():
            findings = examine(subject.defense, seed=seed)
        wrong = [str(f) for f in findings if not f.holds]
        self.tell(f"{len(findings) - len(wrong)} of {len(findings)} checks hold: {subject.label}")
        if wrong:
            raise AssertionError("\n".join([f"{subject.label} does not conform", *wrong]))
        return findings

    def check(self, result: Result, name: str = "") -> list[Growth]:
        """Hold a result to its baseline, or store it as one with ``--leakage-update``.

        Args:
            result: of one of the methods above.
            name: tells baselines of one test apart.

        Returns:
            How each leak changed; empty where a baseline was stored.

        Raises:
            AssertionError: a leak grew beyond its confidence interval, or there is no baseline
                to compare with, or one of other settings; or the result cannot be judged, or
                contradicts its guarantee.
        """
        __tracebackhide__ = True
        if result.doubt:
            raise AssertionError("\n".join([f"{CANNOT_JUDGE}: {result.doubt}", result.headline()]))
        if result.refutation:  # however little it leaks against a baseline
            raise AssertionError("\n".join([*result.refutation, result.headline()]))
        path = self.baselines / f"{plain(self.test + (f'.{name}' if name else ''))}.json"
        if path in self._checked:
            raise BadInput("a test checks two results: name the second, leakage.check(r, 'name')")
        self._checked.add(path)
        if self.update:
            store.write(result, path)
            self.tell(f"baseline stored: {shorten(path)}")
            return []
        before = checking.read_baseline(path)
        found = checking.growths(before, result)
        told = [f"{growth.leak} {growth.change()}" for growth in found if growth.difference.n]
        self.tell("against the baseline: " + "; ".join(told))
        if any(growth.grew for growth in found):
            raise AssertionError(checking.message(found, path, before, result))
        return found

    def _announce(self, result: R) -> R:
        for record in result.records:
            record.environment["command"] = self.command
        self.tell(result.headline() + (f"; {result.figure}" if self.keep else ""))
        return result

    def _folder(self, kind: str) -> Path:
        self._runs += 1
        return self.out / plain(self.test) / f"{self._runs}-{kind}"
