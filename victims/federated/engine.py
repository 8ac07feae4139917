"""Runs a federation to its end on one of Flower's engines, from where it was left."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from defenses import BadInput
from reports.records.training import Round
from victims.federated import checkpoint as store
from victims.federated.apps import client_app, keep_in, kept_in, server_app
from victims.federated.flags import words_of
from victims.federated.flower import Context
from victims.federated.inprocess import InProcessGrid, new_contexts, run_in_process
from victims.federated.record import row_of
from victims.federated.serve import Course
from victims.federated.server import Server
from victims.federated.shared import victim_of
from victims.federated.victim import Victim

ENGINES = ("process", "simulation")
"""In this process, one after the other, the same to the last bit; or Flower's, on Ray."""
TIMEOUT = 600.0
SAVE_SECONDS = 10.0


def run_federation(
    victim: Victim,
    folder: Path | None,
    *,
    engine: str = "process",
    data_root: str | None = None,
    timeout: float = TIMEOUT,
    save_seconds: float = SAVE_SECONDS,
    watch: Callable[[Round], None] = lambda row: None,
    grid: Callable[..., Any] = InProcessGrid,
) -> tuple[Server, list[Round]]:
    """Run all rounds that are not done yet.

    Args:
        victim: what the federation works on.
        folder: of the checkpoint; one that is there is resumed. None writes none.
        engine: one of `ENGINES`.
        data_root: where participants in other processes find the data.
        timeout: seconds after which a participant is late.
        save_seconds: a checkpoint is written after a round when the last is so old, and at the end.
        watch: called with the row of every round, those before a resume included.
        grid: of the engine ``process``, for tests of failures.

    Returns:
        The server at its end, and a row per round.

    Raises:
        BadInput: an unknown engine, one that is not installed, or a folder of another federation.
    """
    _check(engine, timeout, save_seconds)
    plan = victim.plan
    contexts = new_contexts(plan.federation.participants)
    course = Course(victim.server())
    rows = resume(course, folder, contexts, engine)
    for row in rows:
        watch(row)
    saved = time.monotonic()

    def after_round(course: Course) -> None:
        nonlocal saved
        rows.append(row_of(victim, course.server, course.round))
        ended = course.round == plan.federation.rounds
        if folder is not None and (ended or time.monotonic() - saved > save_seconds):
            kept = {i: kept_in(context) for i, context in enumerate(contexts)}
            store.save(store.snapshot(course, rows, kept), folder / store.LATEST)
            saved = time.monotonic()
        watch(rows[-1])

    server = server_app(lambda context: course, after_round, timeout)
    if course.round == plan.federation.rounds:
        return course.server, rows
    if engine == "process":
        run_in_process(server, client_app(lambda context: victim), contexts, grid=grid)
    else:
        words = words_of(plan.federation)
        load = functools.partial(_load, words, data_root)
        _simulate(server, client_app(load), plan.federation.participants)
        if course.round < plan.federation.rounds:
            raise BadInput("the simulation ended before its last round; its log says why")
    return course.server, rows


def _check(engine: str, timeout: float, save_seconds: float) -> None:
    """Raise `BadInput` for an unknown engine, or seconds that cannot be."""
    if engine not in ENGINES:
        raise BadInput(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    if not timeout > 0:
        raise BadInput(f"timeout is {timeout:g}; it must be > 0")
    if not save_seconds >= 0:
        raise BadInput(f"save_seconds is {save_seconds:g}; it must be >= 0")


def resume(
    course: Course, folder: Path | None, contexts: list[Context], engine: str
) -> list[Round]:
    """Bring a course to the checkpoint in a folder, where there is one; its rows."""
    path = None if folder is None else folder / store.LATEST
    if path is None or not path.exists():
        return []
    checkpoint = store.read(path)
    kept = store.restore(checkpoint, course)
    if kept and engine != "process":
        raise BadInput(
            "what participants keep from round to round is known to the engine process alone: "
            "resume with --engine process, or begin again with --fresh"
        )
    for index, values in kept.items():
        keep_in(contexts[index], values)
    return checkpoint.rows


def _load(words: str, data_root: str | None, context: Context) -> Victim:
    return victim_of(words, data_root)


def _simulate(server: Any, client: Any, participants: int) -> None:
    """Flower's own simulation, on Ray."""
    try:
        import ray  # noqa: F401  (Flower says so less clearly)
        from flwr.simulation import run_simulation
    except ImportError as error:
        raise BadInput(
            f"--engine simulation needs Ray ({error}): pip install 'leakgauge[federated-sim]' "
            "into an environment of its own, for it pins its own version"
        ) from error
    run_simulation(server, client, participants)
