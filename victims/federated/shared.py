"""The federation that flags say, loaded once in each process that takes part in it."""

from __future__ import annotations

import shlex
from functools import lru_cache

from victims.federated.flags import federation_of, federation_parser
from victims.federated.victim import Victim, load_victim


@lru_cache(maxsize=1)
def victim_of(flags: str, data_root: str | None = None) -> Victim:
    """The victim of a federation.

    Args:
        flags: of ``python -m victims.federated``, as one text.
        data_root: see `victims.load_data`.

    Raises:
        BadInput: there is no such federation.
    """
    words = shlex.split(flags)
    return load_victim(federation_of(federation_parser(words).parse_args(words)), data_root)
