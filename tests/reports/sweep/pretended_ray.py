"""What `reports.sweep.ray_cluster` uses of Ray, in this process: no cluster, no machine."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """As `ray.exceptions.RayError`."""


class PretendedRay:
    """Runs each task when it is asked for, on a copy that travelled as bytes.

    Args:
        lost: places of the tasks, counted from 0, whose machine is lost for good.
    """

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, lost: frozenset[int] = frozenset()) -> None:
        self.lost = lost
        self.asked: dict[str, Any] = {}
        self.sent: list[Callable[[], Any]] = []
        self.cancelled: list[int] = []
        self.ended = False

    def remote(self, work: Callable[[Any], Any]) -> SimpleNamespace:
        def send(task: Any) -> int:
            travelled = pickle.dumps(task)
            self.sent.append(lambda: pickle.loads(pickle.dumps(work(pickle.loads(travelled)))))
            return len(self.sent) - 1

        def options(**asked: Any) -> SimpleNamespace:
            self.asked = asked
            return SimpleNamespace(remote=send)

        return SimpleNamespace(options=options)

    def wait(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        return waiting[-1:], waiting[:-1]  # the last ends first

    def get(self, place: int) -> Any:
        if place in self.lost:
            raise RayError("the machine is lost")
        return self.sent[place]()

    def cancel(self, place: int, *, force: bool) -> None:
        self.cancelled.append(place)

    def shutdown(self) -> None:
        self.ended = True
