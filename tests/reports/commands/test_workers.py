"""Processes of this machine: what they share with the one that starts them."""

from __future__ import annotations

import os

from reports.commands.workers import spread

NAME = "LEAKGAUGE_PLACE_OF_THIS_TEST"


def nothing() -> None:
    pass


def place(_: int) -> str | None:
    return os.environ.get(NAME)


def test_a_process_has_the_surroundings_of_its_own_pool_whoever_forked_it(monkeypatch):
    seen = []
    for value in ("first", "second"):  # the server starts with the first pool
        monkeypatch.setenv(NAME, value)
        seen += [found for _, found in spread(place, [0], jobs=1, begin=nothing, doing="looking")]
    monkeypatch.delenv(NAME)
    seen += [found for _, found in spread(place, [0], jobs=1, begin=nothing, doing="looking")]
    assert seen == ["first", "second", None]
