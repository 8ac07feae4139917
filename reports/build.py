"""``python -m reports.build``: one page and one PDF from the Records in the given folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defenses import BadInput
from reports.commands.claim import Claim, Writes, claim
from reports.commands.entry import run_command
from reports.commands.flags import Parser
from reports.gate.command import BADGE, CLOSED, SUMMARY, close_gate

if TYPE_CHECKING:
    from reports.page.section import Outline
    from reports.panels.changes import Change
    from reports.records.kinds import Sorted

PROG = "python -m reports.build"
PAGE, PAPER, FIGURES = "index.html", "report.pdf", "figures"
GATES = ("leaks", "refuted", "unjudged")
"""As `reports.gate.rulings` says them, which would load everything for a flag."""
OTHERWISE = {"cannot-judge": "unjudged"}
"""What people say -> the page's word."""
WRITES = (PAGE, PAPER, SUMMARY, BADGE)
MADE_BY = b"Made by leakgauge."
"""The page's last words."""
TITLE = "What training updates give away"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of the command."""
    parser = Parser(prog=PROG, description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("folders", nargs="+", type=Path, metavar="FOLDER", help="Records in it or below it")
    add("--out", type=Path, default=Path("report"), help="folder of the report (default report)")
    add("--title", default=TITLE, help=f"default: {TITLE}")
    add(
        "--compare",
        action="store_true",
        help="say what changed from the first of two folders to the second",
    )
    add(
        "--figures",
        action="store_true",
        help="also every chart as PNG, PDF and SVG, and every table as Markdown, LaTeX (booktabs) "
        "and CSV, in figures/",
    )
    text = "what the figures are for: a column of a paper (default), or slides; needs --figures"
    add("--style", choices=("paper", "slides"), help=text)
    add(
        "--summary",
        action="store_true",
        help=f"also {SUMMARY}, what every result comes down to, and {BADGE}",
    )
    add(
        "--fail-on",
        nargs="+",
        choices=GATES,
        type=lambda word: OTHERWISE.get(word, word),
        default=[],
        metavar="WORD",
        help=f"{', '.join(GATES)} (also called cannot-judge): leave with exit code {CLOSED} where "
        "a result is that, and write what --summary does",
    )
    add("--fresh", action="store_true", help="replace the report of other folders")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Read, check, lay out, write; returns the exit code, `CLOSED` where the gate is closed.

    Raises:
        BadInput: there is nothing to report; nothing is written.
    """
    arguments = parse(argv)
    if arguments.compare and len(arguments.folders) != 2:
        raise BadInput(f"a comparison takes two folders, not {len(arguments.folders)}")
    if arguments.style and not arguments.figures:
        raise BadInput("--style is of the files that --figures writes: name both")
    with claim(arguments.out, Writes("reports.build", WRITES), _is_report) as held:
        return _report(arguments, held)


def _report(arguments: argparse.Namespace, held: Claim) -> int:
    """Write the report into a folder that is this command's; returns the exit code."""
    from reports.page.outline import build_outline
    from reports.records.checks import clean
    from reports.records.find import gather
    from reports.records.kinds import sort_out

    before = _refuse_others(arguments, held)
    found = sort_out(gather(arguments.folders))
    if not found.gathered.sources:
        reasons = [f"{path}: {reason}" for path, reason in found.gathered.skipped]
        more = f" ({reasons[0]})" if reasons else ""
        raise BadInput(f"no Records in {', '.join(map(str, arguments.folders))}{more}")
    changes, unmatched = _compare_folders(found) if arguments.compare else (None, [])
    outline = build_outline(found, clean(arguments.title), changes, unmatched)
    if arguments.fresh:
        held.clear((*WRITES, *before["figures"]))
    paths = _write(outline, arguments, held.folder)
    drawn = [f"{FIGURES}/{path.name}" for path in paths[2:]]
    left = [] if arguments.fresh else before["figures"]
    held.finish({"asked": _question(arguments), "figures": sorted({*left, *drawn})})
    _tell(outline, paths)
    if arguments.summary or arguments.fail_on:
        return close_gate(found, arguments, held.folder)
    return 0


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a report is about."""
    folders = [str(path.resolve()) for path in arguments.folders]
    return {"folders": folders, "compare": arguments.compare}


def _refuse_others(arguments: argparse.Namespace, held: Claim) -> dict[str, Any]:
    """What the report that lies in the folder is about, and the names of its figures.

    Raises:
        BadInput: it is about other folders, or the figures are somebody else's.
    """
    if arguments.fresh:
        held.refuse_strangers()
    before = held.made() or {"asked": _question(arguments), "figures": []}
    if not arguments.fresh and before["asked"] != _question(arguments):
        raise BadInput(
            f"{held.folder} holds the report of other folders: choose another --out, or --fresh "
            "to replace it"
        )
    if arguments.figures and not held.own and (held.folder / FIGURES).exists():
        raise BadInput(
            f"{held.folder} holds {FIGURES}, which is not known to be of reports.build: "
            "choose another --out"
        )
    return dict(before)


def _write(outline: Outline, arguments: argparse.Namespace, folder: Path) -> list[Path]:
    """Write page and paper, and the figures where they are asked for; returns all paths so."""
    from reports.charts.style import STYLES
    from reports.page.figures import write_figures
    from reports.page.html import encode, render
    from reports.page.pdf import write_pdf
    from reports.records import atomic

    page, paper = folder / PAGE, folder / PAPER
    with atomic(page) as scratch:
        scratch.write_bytes(encode(render(outline)))
    with atomic(paper) as scratch:
        write_pdf(outline, scratch)
    if not arguments.figures:
        return [page, paper]
    style = STYLES[arguments.style or "paper"]
    return [page, paper, *write_figures(outline, folder / FIGURES, style)]


def _tell(outline: Outline, paths: Sequence[Path]) -> None:
    """Print what was skipped, what the report holds, and where it lies."""
    from reports.estimates.counts import count_of

    gathered = outline.gathered
    for path, reason in gathered.skipped:
        print(f"skipped {path}: {reason}")
    charts = sum(len(s.charts) for s in outline.sections)
    held = f"{count_of(len(gathered.sources), 'record')}, {count_of(charts, 'chart')}"
    lost = f"{len(gathered.failures)} failed, {len(gathered.skipped)} skipped"
    print("\n".join([f"{held}, {lost}", "", *map(str, paths)]))


def _is_report(folder: Path) -> bool:
    """Whether the page in a folder is one of ours."""
    try:
        return MADE_BY in (folder / PAGE).read_bytes()
    except OSError:
        return False


def _compare_folders(found: Sorted) -> tuple[Sequence[Change], list[str]]:
    """Changes of the inversions from the first folder to the second."""
    from reports.panels.changes import compare, unmatched_settings

    sides = [[i for i in found.inversions if i.source.folder == turn] for turn in (0, 1)]
    if not all(sides):
        raise BadInput("--compare needs Records of attacks.invert in both folders")
    return compare(*sides), unmatched_settings(*sides)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run_command(main, PROG)
