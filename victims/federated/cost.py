"""How long a federation is going to take in this process, by one participant's upload."""

from __future__ import annotations

import time

from victims.federated.victim import Victim


def seconds_of(victim: Victim) -> float:
    """Seconds of all rounds, one participant after another, tests included.

    What is tried is the first participant's first upload, which nobody receives.
    """
    f = victim.plan.federation
    weights = dict(victim.start)
    victim.participant(0).upload(weights, 0, {})  # warms up
    began = time.perf_counter()
    victim.participant(0).upload(weights, 0, {})
    upload = time.perf_counter() - began
    began = time.perf_counter()
    victim.correct(weights)
    return f.rounds * (f.share * f.participants * upload + time.perf_counter() - began)
