"""Messages of failed comparisons."""

from __future__ import annotations

import pickle

import pytest

from attacks.leakage.numbers import Bound, Leak, Verdict, explain
from reports.estimates import Estimate


def test_a_failed_comparison_tells_interval_baseline_bound_and_context():
    leak = Leak(
        "AUC",
        Estimate(0.7, 0.65, 0.75, 400),
        baseline=Estimate.exact(0.5),
        bound=0.9,
        context=lambda: ["figure: roc.png"],
    )
    assert explain("<", leak.high, 0.6) == [
        "AUC.high 0.75 < 0.6",
        "AUC 0.700 [0.650, 0.750], n = 400",
        "guessing gives 0.500",
        "theory allows at most 0.9",
        "figure: roc.png",
    ]
    assert explain("<=", 0.8, leak.low)[0] == "0.8 <= AUC.low 0.65"
    assert explain("<", 0.8, 0.6) is None
    assert isinstance(leak.high, Bound) and leak.high - 0.05 == pytest.approx(0.7)
    with pytest.raises(TypeError, match="compare a bound of the AUC"):
        _ = leak < 0.6
    for value in (leak.high, Verdict.of(True, "so")):
        assert pickle.loads(pickle.dumps(value)) == value
    alone = Leak("PSNR", Estimate(12.0, n=1), "dB")
    assert not alone.high < 99 and alone.show() == "PSNR 12.0 dB [no interval]"
