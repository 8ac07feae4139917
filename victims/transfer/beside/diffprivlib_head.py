"""Logistic regression by diffprivlib, which another Python than this one runs.

diffprivlib 0.6.6 imports what scikit-learn has no longer since 1.6, and this project needs a newer
one than that: so features go to a process of its own environment, and labels come back.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from defenses import BadInput, stream
from defenses.errors import one_line
from victims.transfer.contract import bound_rows
from victims.transfer.prepare import Prepared

SCRIPT = Path(__file__).with_name("diffprivlib_fit.py")


def diffprivlib_labels(
    prepared: Prepared, epsilon: float, seed: int, *, python: str, directions: int | None = None
) -> Tensor:
    """The labels (M,) of the tests by diffprivlib's LogisticRegression, at its other defaults.

    Its guarantee is of pure epsilon, and of an example that another replaces, which is more than
    what the other heads promise; a data norm of 1 is what it is told of the rows.

    Args:
        prepared: features and labels.
        epsilon: > 0, may be infinite.
        seed: of noise and directions.
        python: the program that runs it.
        directions: the features are seen along so many random orthogonal ones, for its noise grows
            with their number; None: as they are.

    Raises:
        BadInput: there is no such program, or it has no diffprivlib that works.
    """
    problem = prepared.problem
    with TemporaryDirectory() as folder:
        place = Path(folder)
        rows, tests = problem.features, prepared.tests
        if directions is not None and directions < problem.dim:
            turn = torch.randn(problem.dim, directions, generator=stream(seed, "directions"))
            rows, tests = (bound_rows(x @ torch.linalg.qr(turn)[0]) for x in (rows, tests))
        arrays = {"x": rows, "y": problem.labels, "tests": tests}
        for name, value in arrays.items():
            np.save(place / f"{name}.npy", value.numpy())
        (place / "asked.json").write_text(json.dumps({"epsilon": epsilon, "seed": seed}))
        words = [python, "-I", str(SCRIPT), folder]
        try:
            ended = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError as error:
            raise BadInput(f"--diffprivlib {python} cannot be run: {one_line(error)}") from error
        if ended.returncode:
            last = (ended.stderr.strip() or "it says nothing").splitlines()[-1]
            raise BadInput(f"--diffprivlib {python} did not fit: {last:.200}")
        return torch.from_numpy(np.load(place / "labels.npy"))
