"""A leak that grew."""

from __future__ import annotations

import numpy as np

from attacks.leakage.baselines import growth


def test_a_leak_that_does_not_grow_is_seldom_called_so_and_one_that_does_is():
    draw = np.random.default_rng(0)
    before = {f"0/{i}": v for i, v in enumerate(draw.normal(12, 3, 12))}
    called = {"same": 0, "more": 0}
    for _ in range(60):
        for name, shift in (("same", 0.0), ("more", 1.5)):
            after = {k: v + draw.normal(shift, 1.0) for k, v in before.items()}
            called[name] += growth.compare({"psnr": before}, {"psnr": after})[0].grew
    assert called["same"] <= 5  # at 1 in 40 more happen once in 10,000 times
    assert called["more"] >= 55


def test_rounding_is_no_growth_and_a_smaller_lpips_is():
    units = {f"0/{i}": 0.1 * i for i in range(8)}
    for name, shift, grew in (
        ("psnr", 0.09, False),
        ("psnr", 0.11, True),
        ("psnr", -3.0, False),
        ("lpips", -0.1, True),
        ("lpips", 0.1, False),
        ("AUC of lira", 0.004, False),
    ):
        moved = {k: v + shift for k, v in units.items()}
        assert growth.compare({name: units}, {name: moved})[0].grew is grew
