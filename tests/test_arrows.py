"""Who may import whom, as DESIGN draws it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("attacks", "defenses", "reports", "victims")
ALLOWED = {
    "defenses": set(),
    "victims": {"defenses"},
    "attacks": {"defenses"},
    "reports": set(),
}
JOINTS = {  # the thin modules that join rooms
    "attacks/scenario.py",
    "attacks/along.py",
    "attacks/bench.py",
    "attacks/claim.py",
    "attacks/keeping.py",
    "attacks/audit/command.py",
    "attacks/audit/exam.py",
    "attacks/audit/black_box.py",
    "attacks/audit/game.py",
    "attacks/audit/runs.py",
    "attacks/audit/show.py",
    "attacks/audit/simulate.py",
    "attacks/audit/study.py",
    "attacks/audit/white_box.py",
    "attacks/invert/apart.py",
    "attacks/invert/command.py",
    "attacks/invert/observed.py",
    "attacks/invert/rounds.py",
    "attacks/invert/scoring.py",
    "attacks/invert/setting.py",
    "attacks/invert/show.py",
    "attacks/invert/study.py",
    "attacks/invert/trained.py",
    "attacks/leakage/audited.py",
    "attacks/leakage/baseline.py",
    "attacks/leakage/exposed.py",
    "attacks/leakage/growth.py",
    "attacks/leakage/inverted.py",
    "attacks/leakage/quick.py",
    "attacks/leakage/result.py",
    "attacks/membership/bench.py",
    "attacks/membership/candidates.py",
    "attacks/membership/command.py",
    "attacks/membership/contenders.py",
    "attacks/membership/gradients.py",
    "attacks/membership/layouts.py",
    "attacks/membership/limits.py",
    "attacks/membership/lockstep.py",
    "attacks/membership/shadows.py",
    "attacks/membership/show.py",
    "attacks/membership/study.py",
    "attacks/membership/training.py",
    "attacks/membership/trial.py",
    "attacks/membership/evaluation.py",
    "reports/build.py",
    "reports/crossing.py",
    "reports/executors/ray_cluster.py",
    "reports/executors/task.py",
    "reports/plan.py",
    "reports/sweep.py",
    "victims/checkpoint.py",
    "victims/outcome.py",
    "victims/recording.py",
    "victims/reproduce.py",
    "victims/export.py",
    "victims/flags.py",
    "victims/train.py",
    "victims/bench.py",
}
FILES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_rooms_import_only_what_the_arrows_allow(path):
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/")[0]
    if name not in JOINTS:
        assert rooms_imported(path) <= ALLOWED[room] | {room}


def test_every_joint_exists_and_is_needed():
    for name in JOINTS:
        room = name.split("/")[0]
        assert rooms_imported(ROOT / name) - ALLOWED[room] - {room}, name
