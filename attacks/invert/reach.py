"""``python -m attacks.invert.reach FOLDER ...``: what a sweep's attacks reached, in two tables."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.records import Record
from reports.records.find import gather
from reports.records.options import CLIP, MAIN, RATE

PROG = "python -m attacks.invert.reach"


@dataclass(frozen=True)
class Reached:
    """What one attacker of one Record reached.

    Attributes:
        victim: the model, and whether it is trained.
        attack: that was asked for.
        batch: examples per update.
        defense: of the release.
        options: of it, those in `reports.records.options.MAIN` that are not 0 and that it has.
        psnr: dB, of each image.
        guessed: dB, median of the best guess without the release.
        seconds: median per image; None where it was not measured.
        stopped: how the guesses ended, and the most frequent note.
        facts: what else must be equal in one table: data, images' seed, machine.
    """

    victim: str
    attack: str
    batch: int
    defense: str
    options: dict[str, float]
    psnr: list[float]
    guessed: float
    seconds: float | None
    stopped: str
    facts: str

    @property
    def release(self) -> str:
        """For people: ``dprs, rate 0.5``."""
        parts = [self.defense, *(f"{k.replace('_', ' ')} {v:g}" for k, v in self.options.items())]
        return ", ".join(parts)

    @property
    def masked(self) -> bool:
        """Whether nothing was done to the gradient but to leave coordinates out, or nothing."""
        only = set(self.options) <= {RATE}
        return self.batch == 1 and only and self.defense in ("dprs", "none")

    def cell(self) -> str:
        """``60.0 (41.2-60.0) in 5.9 s``: median, least and largest dB, seconds per image."""
        took = "" if self.seconds is None else f" in {self.seconds:.3g} s"
        middle = statistics.median(self.psnr)
        return f"{middle:.1f} ({min(self.psnr):.1f}-{max(self.psnr):.1f}){took}"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    text = "of sweeps over docs/studies/reach.toml or parts of it, finished or not"
    parser.add_argument("folders", type=Path, nargs="+", help=text)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables in Markdown. Returns the exit code."""
    arguments = parse(argv)
    sources = gather(arguments.folders).sources
    found = [one for source in sources for one in attackers_reach(source.record)]
    if not found:
        names = ", ".join(map(str, arguments.folders))
        raise BadInput(f"{names}: no Record of an inversion with scores")
    for facts in sorted({one.facts for one in found}):
        print(facts)
    print("dB PSNR: median (least-largest) over images, seconds per image; capped at 60 dB\n")
    masked = [one for one in found if one.masked]
    others = [one for one in found if not one.masked]
    if masked:
        print("\n".join(by_rate(masked)) + "\n")
    if others:
        print("\n".join(by_release(others)) + "\n")
    return 0


def attackers_reach(record: Record) -> Iterator[Reached]:
    """What each adaptive attacker of a Record reached; nothing of another kind's."""
    scenario = record.scenario
    if "attack" not in scenario or "defense" not in scenario:
        return
    rows = [r for r in record.rows if r["adaptive"] and r["psnr"] is not None]
    guesses = [r["psnr"] for r in record.baseline.get("rows", []) if r["psnr"] is not None]
    for defense in sorted({r["defense"] for r in rows}):
        own = [r for r in rows if r["defense"] == defense]
        options: dict[str, Any] = record.bounds.get(defense, {}).get("options", {})
        seconds = [r["seconds"] for r in own if r.get("seconds") is not None]
        trained = "" if scenario["state"] == "untrained" else ", trained"
        yield Reached(
            victim=f"{scenario['model']}{trained}",
            attack=scenario["attack"],
            batch=scenario["batch"],
            defense=defense,
            options={k: float(options[k]) for k in MAIN if _tells(k, options)},
            psnr=[r["psnr"] for r in own],
            guessed=statistics.median(guesses) if guesses else float("nan"),
            seconds=statistics.median(seconds) if seconds else None,
            stopped=_ends(own),
            facts=_facts(record),
        )


def _tells(name: str, options: dict[str, Any]) -> bool:
    """Whether an option says something: clipping does where there is no mask that it goes with."""
    value = options.get(name)
    return bool(value) and isinstance(value, int | float) and (name != CLIP or RATE not in options)


def _ends(rows: Sequence[Mapping[str, Any]]) -> str:
    """``solved 7, iterations 1: NOTE``."""
    counts = {s: sum(r["stopped"] == s for r in rows) for s in sorted({r["stopped"] for r in rows})}
    notes = [r["note"] for r in rows if r.get("note")]
    said = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{said}: {statistics.mode(notes)}" if notes else said


def _facts(record: Record) -> str:
    """Data, seed, machine, versions and day of a Record, in one line."""
    scenario, facts = record.scenario, record.environment
    labels = "known" if scenario["labels_known"] else "unknown"
    return (
        f"{scenario['data']}, split {scenario['split']}, seed {scenario['seed']}, labels {labels}; "
        f"{facts.get('machine', '?')}, {facts.get('threads', '?')} threads; "
        f"torch {facts.get('versions', {}).get('torch', '?')}; {str(facts.get('date', '?'))[:10]}"
    )


def by_rate(found: Sequence[Reached]) -> Iterator[str]:
    """Victims and attacks down, drop rates across."""
    rates = sorted({one.options.get(RATE, 0.0) for one in found})
    yield "| victim | attack | guess dB | " + " | ".join(f"rate {r:g}" for r in rates) + " |"
    yield "|---" * (len(rates) + 3) + "|"
    rows: dict[tuple[str, str], dict[float, Reached]] = {}
    for one in found:
        rows.setdefault((one.victim, one.attack), {})[one.options.get(RATE, 0.0)] = one
    for (victim, attack), cells in sorted(rows.items()):
        guess = next(iter(cells.values())).guessed
        shown = [cells[r].cell() if r in cells else "" for r in rates]
        yield f"| {victim} | {attack} | {guess:.1f} | " + " | ".join(shown) + " |"


def by_release(found: Sequence[Reached]) -> Iterator[str]:
    """One setting a row, with what ended its attacks."""
    yield "| victim | attack | batch | release | guess dB | reached | stopped |"
    yield "|---|---|---|---|---|---|---|"
    order = sorted(found, key=lambda o: (o.victim, o.batch, o.defense, sorted(o.options.items())))
    for one in order:
        yield (
            f"| {one.victim} | {one.attack} | {one.batch} | {one.release} | {one.guessed:.1f} "
            f"| {one.cell()} | {one.stopped} |"
        )


if __name__ == "__main__":
    run_command(main, PROG)
