"""Whether what is public gives nothing away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from defenses.conformance.finding import Verdict
from defenses.conformance.neighbours import neighbours
from defenses.conformance.subject import SIZE, VISITED, Subject, join


def public(subject: Subject) -> Verdict:
    """Public facts are the same for neighbouring batches."""
    grads = subject.batch()
    others = {"an empty batch": subject.batch(0), "one example fewer": subject.batch(SIZE - 1)}
    known = neighbours(grads, subject.generator("neighbours"))
    others |= {f"one more ({k})": join(grads, known[k]) for k in ("huge", "against the others")}
    for step in VISITED:
        base = subject.release(grads, step=step).public
        for name, other in others.items():
            differing = _difference(base, subject.release(other, step=step).public)
            if differing:
                return False, f"public {differing} depends on the data: {name}, step {step}"
    return True, f"the same for {len(others)} neighbouring batches: {', '.join(sorted(base))}"


def support(subject: Subject) -> Verdict:
    """Which coordinates come out as zero does not depend on the data of a private defense.

    A support that is chosen privately, and paid for, is told here too: it needs a proof.
    """
    if not subject.claims:
        return True, "claims no epsilon: its support may depend on the data"
    grads = subject.batch()
    others = {"empty": subject.batch(0), "zero": {k: torch.zeros_like(g) for k, g in grads.items()}}
    lonely = neighbours(subject.batch(0), subject.generator("neighbours"))
    others |= {k: g for k, g in lonely.items() if "one coordinate" in k or k == "tiny"}
    for step in VISITED:
        base = subject.release(grads, step=step).update
        for name, other in others.items():
            update = subject.release(other, step=step).update
            for key, value in update.items():
                moved = int(((value == 0) != (base[key] == 0)).sum())
                if moved:
                    many = f"{moved} of {value.numel()} coordinates of {key}"
                    return False, f"{many} are zero or not depending on the data ({name})"
    return True, f"the same for {len(others) + 1} batches at steps {VISITED}"


def _difference(first: Any, second: Any, name: str = "") -> str:
    """The name of a fact in which two sets of public facts differ, or nothing."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.keys() != second.keys():
            return f"{name} keys".strip()
        parts = (_difference(first[k], second[k], f"{name} {k}".strip()) for k in first)
        return next((part for part in parts if part), "")
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return "" if torch.equal(first, second) else name
    return "" if type(first) is type(second) and first == second else name
