"""Attacks on a model, data and a defense that the caller holds as objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakgauge.given import keep_data, keep_model
from leakgauge.glance import load

if TYPE_CHECKING:
    from torch import nn

    from defenses import Defense
    from reports.records import Record


def invert(
    *,
    model: nn.Module | str = "lenet",
    data: Any = "photos",
    auxiliary: Any = None,
    defense: Defense | str = "dprs",
    out: str | Path | None = None,
    device: str = "cpu",
    data_root: str | None = None,
    **fields: Any,
) -> Record:
    """Rebuild private images from what a defense releases of them; see `attacks.run`.

    Args:
        model: a module from images (B, C, H, W) in [0, 1] to logits (B, classes), with the
            weights that it has; or a name, see `victims.load_model`.
        data: (images, labels): (N, C, H, W) in [0, 1] and (N,) integers; or a name, see
            `victims.load_data`.
        auxiliary: the adversary's own (images, labels); None: every other one of ``data``.
        defense: an instance, or a name with ``defense_options``.
        out: folder in which finished pieces are kept; None keeps none.
        device: ``cpu`` or ``cuda``.
        data_root: where named sets lie.
        fields: others of `attacks.Scenario`: ``images`` (default 8, or as many as there are),
            ``attack``, ``seed``, ...

    Raises:
        BadInput: it cannot be run as given.
    """
    _refuse_unknown(fields, defense)
    if not isinstance(model, str):
        model = keep_model(model)
    if not isinstance(data, str):
        data = keep_data(data, auxiliary)
        there = len(load(data)("test").labels)
        fields.setdefault("images", min(8, there))
    elif auxiliary is not None:
        raise load("defenses:BadInput")("auxiliary goes with data as (images, labels)")
    scenario = load("attacks:Scenario")(model=model, data=data, defense=defense, **fields)
    where = {"device": device, "data_root": data_root}
    folder = None if out is None else Path(out)
    record: Record = load("attacks:run")(scenario, out=folder, **where)
    return record


def _refuse_unknown(fields: Mapping[str, Any], defense: Defense | str) -> None:
    """Raise BadInput for what is no field of a Scenario, and say whose option it may be."""
    known = [field.name for field in dataclasses.fields(load("attacks:Scenario"))]
    wrong = next((name for name in fields if name not in known), None)
    if wrong is None:
        return
    refused, registry = load("defenses:BadInput"), load("defenses:registry")
    options = registry.find(defense).__dataclass_fields__ if isinstance(defense, str) else {}
    if wrong in options:
        raise refused(
            f"{wrong} is an option of the defense: defense_options={{{wrong!r}: ...}}, or "
            f"defense=defenses.get({defense!r}, {wrong}=...)"
        )
    hint = load("defenses.errors:meant")(wrong, [*known, "model", "data", "defense", "auxiliary"])
    raise refused(f"invert takes no {wrong!r}; {hint}it takes: {', '.join(known)}")
