"""Builds a user's own model: a module, a class or a factory."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from torch import nn

from defenses import BadInput
from defenses.errors import one_line
from defenses.foreign import import_object

TAKES = (
    "a torch Module, or a class or callable of (image_shape, classes) or of nothing that gives "
    "one: def net(image_shape: tuple[int, int, int], classes: int) -> nn.Module"
)


def build(name: str, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The module that ``pkg.module:object`` is or makes.

    A callable that can be called in both ways gets (image_shape, classes), and nothing where that
    fails: ``Net(channels=3, classes=10)`` is such a class.

    Raises:
        BadInput: it is neither; the message shows the signature.
    """
    found = import_object(name, "model")
    if isinstance(found, nn.Module):
        return _copy(found)
    ways = [given for given in ((image_shape, classes), ()) if _takes(found, *given)]
    if not ways:
        raise BadInput(f"model {name!r} must be {TAKES}")
    errors = []
    for given in ways:
        try:
            model = found(*given)
        except BadInput:
            raise
        except Exception as error:  # a user's own may raise anything
            errors.append(one_line(error, 300))
            continue
        if not isinstance(model, nn.Module):
            raise BadInput(f"model {name!r} returned {type(model).__name__}, not a torch Module")
        return model
    raise BadInput(f"model {name!r} cannot be built: {'; without arguments: '.join(errors)}")


def _copy(model: nn.Module) -> nn.Module:
    """A copy where there can be one: what runs a foreign model changes its class and wrappers."""
    try:
        return copy.deepcopy(model)
    except Exception:  # whoever loads it says so, in words of its own
        return model


def _takes(found: Any, *given: Any) -> bool:
    """Whether a callable takes these arguments, as far as its signature tells."""
    try:
        inspect.signature(found).bind(*given)
    except TypeError:
        return False
    except ValueError:  # some of C have no signature
        return True
    return True
