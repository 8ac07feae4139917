from __future__ import annotations

import math

import numpy as np
import torch

from reports import records
from reports.pictures.grid import build_grid
from tests import outcomes
from tests.outcomes import panels_of


def test_the_grid_has_a_cross_and_says_what_is_left_out(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and grid.cross is not None
    assert (grid.cross.rates, grid.cross.noises) == (outcomes.RATES, outcomes.NOISES)
    place = grid.cross.places[1, 1]
    assert grid.rows[place].label == "dprs rate 0.9, noise 0.01"
    assert (
        grid.rows[place]
        .cells[2][0]
        .alt.startswith("image 2, dprs rate 0.9, noise 0.01, adaptive attack: ")
    )
    assert "seed 0" in grid.note


def test_a_large_cross_stays_a_cross(tmp_path):
    for rate in np.linspace(0, 0.99, 7):
        for noise in (0, 0.001, 0.003, 0.01, 0.03, 0.1, 1):
            record = outcomes.inversion(rate=float(rate), noise=noise, images=2)
            records.write(record, tmp_path / f"{rate:.2f}-{noise}")
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and grid.cross is not None
    assert len(grid.cross.places) == len(grid.cross.rates) * len(grid.cross.noises) == 25
    assert (grid.cross.rates[0], grid.cross.rates[-1]) == (0, 0.99)
    assert "Not drawn: 24 settings." in grid.note


def test_images_that_cannot_be_drawn_do_no_harm(tmp_path):
    record = outcomes.inversion()
    record.arrays["dprs/adaptive"] = torch.full((4, 3, 16, 16), math.nan)
    record.arrays["dprs/naive"] = torch.rand(4, 5, 0, 16)
    record.arrays["truth"] = torch.zeros(3)
    record.arrays["prior"] = torch.rand(4, 1, 200, 100)
    records.write(record, tmp_path)
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and not grid.both
    assert [s.label for s in grid.rows] == [
        "best guess without the update",
        "dprs rate 0.9, noise 0.01",
    ]
