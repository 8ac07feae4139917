"""Fits diffprivlib's LogisticRegression on arrays in a folder; run by a Python that has it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from diffprivlib.models import LogisticRegression


def main(folder: Path) -> None:
    """Read ``x``, ``y``, ``tests`` and what is asked, write the ``labels`` of the tests."""
    x, y, tests = (np.load(folder / f"{name}.npy") for name in ("x", "y", "tests"))
    asked = json.loads((folder / "asked.json").read_text())
    model = LogisticRegression(epsilon=asked["epsilon"], data_norm=1.0, random_state=asked["seed"])
    np.save(folder / "labels.npy", model.fit(x, y).predict(tests))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
