"""Code of the user's own: imported where the command line names it, refused where a file does."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from defenses.errors import BadInput, meant, one_line

SPECS = (
    *("data", "public", "model", "defense", "against", "attack", "attacks", "methods"),
    *("backbone", "method"),
)
"""Fields whose values may be ``pkg.module:object``, which importing runs."""
ZOOS = ("torchvision", "timm")
"""Libraries of which ``torchvision:NAME`` as a backbone names a network."""
MODEL_ZOOS, DATA_ZOOS = (*ZOOS, "hf"), ("torchvision", "hf")
"""Libraries of which ``timm:NAME`` as a model and ``hf:NAME`` as data name something."""
PLAIN = {
    "data": ("folder", *DATA_ZOOS),
    "public": ("folder", *DATA_ZOOS),
    "model": MODEL_ZOOS,
    "backbone": ZOOS,
}
"""Of them, those in which some words before the colon, as in ``folder:PATH``, are no code."""


def is_own(spec: str, field: str) -> bool:
    """Whether a field's value names code of the user's own, as ``pkg.module:object`` does."""
    return ":" in spec and spec.partition(":")[0] not in PLAIN.get(field, ())


def import_object(spec: str, what: str) -> Any:
    """The object named ``pkg.module:attribute``.

    Raises:
        BadInput: when the module is not Python or not there, raises, or lacks the attribute.
    """
    module, _, attribute = spec.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), *attribute.split("."))):
        raise BadInput(f"{what} {spec!r} is not of the form pkg.module:object")
    if module.endswith(".py"):
        raise BadInput(f"{what} {spec!r} names a file; say {spec.replace('.py:', ':', 1)}")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # a module of the user's own may raise anything
        said = one_line(error)
        if not isinstance(error, ImportError | SyntaxError):
            said = f"{type(error).__name__}: {said}{_place_of(error)}"
        raise BadInput(f"{what} {spec!r} cannot be imported: {said}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            hint = meant(part, (name for name in dir(found) if not name.startswith("_")))
            told = f"{what} {spec!r} cannot be imported: there is no {part!r}; {hint}"
            raise BadInput(told.rstrip("; "))
        found = getattr(found, part)
    return found


def _place_of(error: BaseException) -> str:
    """File and line that raised, where it is not Python's own import."""
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1] if frames else None
    return f" ({Path(place.filename).name}, line {place.lineno})" if place else ""


def check_call(found: Any, what: str, takes: str, *arguments: Any, **named: Any) -> None:
    """Raise `BadInput` unless ``found`` is a callable that takes these arguments.

    Args:
        found: from the user.
        what: it is, for the message.
        takes: the arguments, for the message.
        arguments: by position.
        named: by keyword.
    """
    try:
        inspect.signature(found).bind(*arguments, **named)
    except TypeError as error:
        raise BadInput(f"{what} must be a callable that takes {takes}: {error}") from error
    except ValueError:  # some of C have no signature
        return


def code_in(fields: Mapping[str, Any]) -> dict[str, str]:
    """Spec -> field of everything among ``fields`` that would be imported."""
    found: dict[str, str] = {}
    for name in SPECS:
        value = fields.get(name)
        for spec in _flat(value):
            if spec is not None and is_own(str(spec), name):
                found.setdefault(str(spec), name)
    return found


def refuse_code(fields: Mapping[str, Any], source: object, named: Collection[str]) -> None:
    """Raise `BadInput` where a document from a file would have something imported.

    Args:
        fields: of the document; lists hold several values of a field.
        source: the file, for the message.
        named: specs that the user's own command line names.
    """
    for spec, name in code_in(fields).items():
        if spec not in named:
            raise BadInput(
                f"{source} names {spec!r} as its {name}, code that is not imported because a file "
                f"says so: if you trust it, give --code {spec}"
            )


def _flat(value: Any) -> list[Any]:
    """The values of a field that may have several, which may be lists themselves."""
    if not isinstance(value, list | tuple):
        return [value]
    return [inner for item in value for inner in _flat(item)]
