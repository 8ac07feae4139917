"""The form of a Record's parts, declared once as types, and the check of it.

A kind's file declares what its writer writes as `TypedDict`, with the range of every value beside
its type. Who writes a Record checks that all of it is there and nothing else; who reads one, which
somebody else may have made, that whatever is there is of its type and within its range.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from reports.records.checks import mapping, number, text, whole_number

SLACK = 1e-6
"""By how much rounding may take a number out of its range, or two of them out of their order."""


@dataclass(frozen=True)
class Within:
    """A range that a number lies in, both ends included."""

    low: float = -math.inf
    high: float = math.inf

    def check(self, value: Any, what: str) -> None:
        """Raise ValueError where a number is outside."""
        if value is not None and not self.low - SLACK <= value <= self.high + SLACK:
            raise ValueError(
                f"{what} is {value:.10g}, which is not in [{self.low:g}, {self.high:g}]"
            )


@dataclass(frozen=True)
class Ordered:
    """Fields of an object of which none is larger than the next; null ones are passed over."""

    names: tuple[str, ...]

    def check(self, value: Any, what: str) -> None:
        """Raise ValueError where two are not in their order."""
        known = [(n, value[n]) for n in self.names if value.get(n) is not None]
        for (one, low), (other, high) in pairwise(known):
            if low > high + SLACK * max(1.0, abs(high)):
                raise ValueError(f"{what}.{one} is {low:.10g}, above {other}, {high:.10g}")


Share = Annotated[float, Within(0, 1)]
"""A probability, an accuracy, a rate."""
Size = Annotated[float, Within(0)]
"""A number that is not below 0: seconds, an epsilon."""
Count = Annotated[int, Within(0)]
"""A whole number of things, or of something's place from 0."""
Number = Annotated[int, Within(1)]
"""A whole number of something of which there is at least one, or of its place from 1."""


class ShareMean(TypedDict):
    """`Estimate.document` of a share."""

    mean: Share | None
    low: Share | None
    high: Share | None
    n: Count


ENDS = Ordered(("low", "mean", "high"))
ShareOf = Annotated[ShareMean, ENDS]


def check_form(value: Any, form: Any, what: str = "", *, complete: bool = False) -> None:
    """Raise ValueError, one line that says what is wrong, where a JSON value is not of a form.

    Args:
        value: from JSON, or to become JSON.
        form: a type: a `TypedDict`, ``dict[str, T]``, ``list[T]``, a union, bool, int, float, str,
            `Any`, or one of these `Annotated` with `Within` and `Ordered`.
        what: the value's name, for the message.
        complete: whether every field that is not `NotRequired` must be there, and no other; what an
            earlier version did not write yet is missing in what is read.
    """
    origin = get_origin(form)
    if form is Any or (value is None and NoneType in get_args(form)):
        return
    if origin is Annotated:
        inner, *rules = get_args(form)
        check_form(value, inner, what, complete=complete)
        for rule in rules:
            rule.check(value, what)
    elif origin in (Union, UnionType):
        _check_any(value, [a for a in get_args(form) if a is not NoneType], what, complete)
    elif origin is dict:
        for name, part in mapping(value, what).items():
            check_form(part, get_args(form)[1], f"{what}.{name:.80}", complete=complete)
    elif origin in (list, tuple):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(f"{what} is no list")
        forms = get_args(form) if origin is tuple else get_args(form) * len(value)
        if len(forms) != len(value):
            raise ValueError(f"{what} has {len(value)} values, not {len(forms)}")
        for part, own in zip(value, forms, strict=True):
            check_form(part, own, what, complete=complete)
    elif is_typeddict(form):
        _check_fields(value, form, what, complete)
    else:
        PLAIN[form](value, what)


def _check_any(value: Any, forms: Sequence[Any], what: str, complete: bool) -> None:
    """Raise the first form's ValueError where a value is of none of them.

    Of several objects those count that declare most of the names that are there, and at least one.
    """
    shared = [_names(form) & value.keys() if isinstance(value, dict) else set() for form in forms]
    most = max(1, *map(len, shared))
    errors = [ValueError(f"{what} is none of what it may be")]
    for form, names in zip(forms, shared, strict=True):
        if _names(form) and isinstance(value, dict) and len(names) < most:
            continue
        try:
            return check_form(value, form, what, complete=complete)
        except ValueError as error:
            errors.append(error)
    raise errors[min(1, len(errors) - 1)]


def _names(form: Any) -> set[str]:
    """The fields of an object's form; none of another's."""
    inner = get_args(form)[0] if get_origin(form) is Annotated else form
    return set(inner.__annotations__) if is_typeddict(inner) else set()


@functools.cache
def _hints(form: Any) -> dict[str, Any]:
    """The types of a form's fields, which Python reads anew from text each time it is asked."""
    return get_type_hints(form, include_extras=True)


def _check_fields(value: Any, form: Any, what: str, complete: bool) -> None:
    found, hints = mapping(value, what), _hints(form)
    start = f"{what}." if what else ""
    for name, own in hints.items():
        optional = get_origin(own) is NotRequired
        if name in found:
            check_form(
                found[name], get_args(own)[0] if optional else own, start + name, complete=complete
            )
        elif complete and not optional:
            raise ValueError(f"{start}{name} is missing")
    if complete and (more := sorted(found.keys() - hints.keys())):
        raise ValueError(f"{start}{more[0]} is declared nowhere")


def _flag(value: Any, what: str) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{what} is neither true nor false")


PLAIN: Mapping[Any, Callable[[Any, str], Any]] = {
    bool: _flag,
    int: whole_number,
    float: number,
    str: text,
}
"""Type -> what raises ValueError for a value of another one."""
