"""Attacks on a model, data and a defense that the caller holds as objects."""

from __future__ import annotations

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
