"""leakgauge under a name of its own: its rooms, whatever else is called ``attacks`` here.

>>> import leakgauge
>>> leakgauge.defenses.get("dpsgd", clip=1.0).clip
1.0
>>> "geiping" in leakgauge.attacks.invert.names()
True
>>> sorted(leakgauge.__all__)[:3]
['__version__', 'attacks', 'defenses']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leakgauge import rooms

if TYPE_CHECKING:
    import attacks
    import defenses
    import reports
    import victims
    from leakgauge.own import invert
    from reports import load

    __version__: str

__all__ = ["__version__", "attacks", "defenses", "invert", "load", "reports", "victims"]

rooms.install()


def __getattr__(name: str) -> Any:
    # On demand: a run of pytest and a flag that is mistyped need not wait for torch.
    if name in rooms.ROOMS:
        return import_module(f"leakgauge.{name}")
    if name == "invert":
        return import_module("leakgauge.own").invert
    if name == "load":
        return import_module("leakgauge.reports").load
    if name == "__version__":
        from importlib.metadata import version

        return version("leakgauge")
    raise AttributeError(f"module 'leakgauge' has no attribute {name!r}")
