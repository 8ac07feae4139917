"""What an inversion as a test tells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from attacks.leakage.numbers import explain
from defenses import BadInput, Compression
from reports.estimates import Estimate
from tests.attacks.leakage.coarse import TINY, Coarse


def test_an_inversion_tells_both_attackers_and_what_guessing_gives(inverted):
    summary = inverted.records[0].summary
    for column, result in (("adaptive", inverted), ("naive", inverted.naive)):
        for score in ("psnr",):
            found, stored = getattr(result, score), summary[f"Coarse/{column}"][score]
            assert (found.mean, found.low, found.high) == tuple(
                stored[k] for k in ("mean", "low", "high")
            )
            assert found.n == 8
    prior = inverted.records[0].baseline
    assert inverted.psnr.baseline.mean == pytest.approx(prior[prior["shown"]]["psnr"]["mean"])
    assert inverted.gain.mean == pytest.approx(inverted.psnr.mean - inverted.psnr.baseline.mean)
    assert inverted.named.baseline == Estimate.exact(1 / 64)
    assert inverted.named.bound == 1 and math.isinf(inverted.epsilon)
    assert inverted.adaptive and not inverted.naive.adaptive
    assert math.isnan(inverted.lpips.high)  # digits are too small for it
    assert inverted.lpips.show() == "adaptive LPIPS not measured"


def test_seeds_are_pooled_and_columns_may_be_left_out(gauge):
    few = {**TINY, "images": 4}
    both = gauge.invert(Coarse(), seeds=2, columns="adaptive", **few)
    assert both.psnr.n == 8
    assert set(both.units()["psnr"]) == {f"{s}/{i}" for s in (0, 1) for i in range(4)}
    with pytest.raises(BadInput, match="the naive attacker was not run"):
        _ = both.naive
    naive = gauge.invert(Coarse(), columns="naive", **few)
    assert naive.column == "naive" and not naive.adaptive
    assert naive.doubt == "only the naive attacker was run"
    assert not naive.psnr.high < 60 and not naive.psnr.low < 60


@dataclass(frozen=True)
class Misleading(Coarse):
    """Its replay explains nothing."""

    def replay(self, grads, release):
        return {k: 0 * v for k, v in super().replay(grads, release).items()}


def test_an_attacker_with_a_wrong_replay_is_not_adaptive(gauge):
    found = gauge.invert(Misleading(), **{**TINY, "images": 1})
    assert not found.adaptive
    assert "conformance, replay: " in repr(found.adaptive)
    with pytest.raises(AssertionError, match="does not conform\nBROKEN  replay"):
        gauge.conforms(Misleading())
    assert {f.check for f in gauge.conforms(Coarse())} >= {"replay", "adaptive", "public"}


def test_a_schedule_is_judged_in_its_worst_round(gauge):
    """At the final rate nothing is left; the first epoch is dense."""
    options = {"rate": 0.999, "noise_multiplier": 0.001}
    closed = {**TINY, "attack": "analytic", "attack_options": {}}
    found = gauge.invert("dprs", defense_options=options, columns="adaptive", **closed)
    assert found.adaptive and found.gain.low > 0
    assert any("step 0 (rate 0) gives most away" in line for line in found.context())
    last = found.records[0].summary["dprs@999/adaptive"]["psnr"]["mean"]
    assert last < found.psnr.mean - 5


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"attack": "prior", "attack_options": {}}, "the undefended update was not rebuilt either"),
        ({"budget": 1e-9}, "the clock cut the attack short"),
    ],
)
def test_an_attack_that_could_find_nothing_is_no_evidence(gauge, told, changed, reason):
    given = {**TINY, "images": 2, "attack": "bayes", "attack_options": {"iterations": 3}}
    found = gauge.invert(Coarse(step=0.5), **{**given, **changed})
    assert not found.adaptive and "cannot be judged: " in repr(found.adaptive)
    assert not found.psnr.high < 99 and not found.gain.high < 99 and not found.named.high < 2
    assert "cannot be judged: " in told[-1]
    if "attack" in changed:
        assert found.doubt == reason
        assert f"cannot be judged: {reason}" in explain("<", found.psnr.high, 99)
        with pytest.raises(AssertionError, match=f"cannot be judged: {reason}"):
            gauge.check(found)


@dataclass(frozen=True)
class Broken(Compression):
    """Releases no numbers."""

    def compress(self, mean, plan, generator):
        return {k: v * math.nan for k, v in mean.items()}, 1


def test_an_update_of_no_numbers_is_refused(gauge):
    for attack in ("bayes", "auto"):
        given = {**TINY, "attack": attack, "attack_options": {"iterations": 2}, "images": 1}
        with pytest.raises(BadInput, match="the update holds NaN or infinite values"):
            gauge.invert(Broken(), **given)
