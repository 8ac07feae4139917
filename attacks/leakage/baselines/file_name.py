"""The name of a test as the name of its baseline's file."""

from __future__ import annotations

import re
from hashlib import sha256


def plain(name: str) -> str:
    """A name that is a file's on every system; different ones stay different."""
    simple = re.sub(r"[^\w.\[\]=-]", "_", name, flags=re.ASCII)[:120]
    return simple if simple == name else f"{simple}-{sha256(name.encode()).hexdigest()[:8]}"
