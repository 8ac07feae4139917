"""Values from JSON that somebody else wrote: taken only when they have the type they should."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from reports.estimates import Estimate

LONGEST = 2000
"""Characters of a string that are kept; nothing that leakgauge writes is longer."""
# Control characters, lone surrogates and marks that turn the writing direction: none can be
# drawn, and some hide what a text says.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def clean(value: Any) -> Any:
    """The same JSON value with strings (keys too) that every output format can hold."""
    if isinstance(value, str):
        text = UNSEEN.sub("\ufffd", value)
        return text if len(text) <= LONGEST else text[:LONGEST] + "…"
    if isinstance(value, dict):
        return {clean(str(k)): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    return value


def number(value: Any, what: str) -> float:
    """A finite number as float.

    Raises:
        ValueError: it is none; the message names ``what``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{what} is not finite")
    return found


def number_or_nan(value: Any, what: str) -> float:
    """The same, with NaN for None: a score that could not be had."""
    return math.nan if value is None else number(value, what)


def whole_number(value: Any, what: str) -> int:
    """A whole number within 64 bits; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise ValueError(f"{what} is no whole number")
    return value


def text(value: Any, what: str) -> str:
    """A string; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is no text")
    return value


def mapping(value: Any, what: str) -> dict[str, Any]:
    """An object; raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def required_field(value: Mapping[str, Any], name: str, what: str) -> Any:
    """A field of an object that may be anything, None too, but not missing; raises ValueError."""
    if name not in value:
        raise ValueError(f"{what}.{name} is missing")
    return value[name]


def sequence(value: Any, what: str) -> list[Any]:
    """A list; raises ValueError."""
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return value


def epsilon(value: Any, what: str) -> float:
    """A privacy budget: >= 0, and infinite for None; raises ValueError."""
    found = math.inf if value is None else number(value, what)
    if found < 0:
        raise ValueError(f"{what} is below 0")
    return found


def share(value: Any, what: str) -> float:
    """A probability in [0, 1]; raises ValueError."""
    found = number(value, what)
    if not 0 <= found <= 1:
        raise ValueError(f"{what} is not in [0, 1]")
    return found


def estimate(value: Any, what: str) -> Estimate:
    """A mean with its interval as `Estimate.document` writes it; raises ValueError."""
    found = mapping(value, what)
    mean, low, high = (number_or_nan(found.get(n), f"{what}.{n}") for n in ("mean", "low", "high"))
    return Estimate(mean, low, high, whole_number(found.get("n", 0), f"{what}.n"))
