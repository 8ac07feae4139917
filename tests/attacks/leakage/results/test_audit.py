"""What an audit as a test tells."""

from __future__ import annotations

import pytest

from tests.attacks.leakage.coarse import AUDIT


def test_an_audit_refutes_a_claim_that_is_too_small(gauge):
    options = {"noise_multiplier": 0.5}
    found = gauge.audit("dpsgd", defense_options=options, claim=0.1, **AUDIT)
    assert found.refuted
    assert found.epsilon_low > found.claimed == 0.1
    assert "proven, 0.1 claimed; figure: " in repr(found.refuted)
    assert "; the guarantee is false: epsilon is at least " in found.headline()
    with pytest.raises(AssertionError, match="the guarantee is false: epsilon is at least"):
        gauge.check(found)
    assert found.figure.name == "epsilon.png" and found.figure.stat().st_size > 1000
    assert not gauge.audit("dpsgd", defense_options=options, claim=15.0, **AUDIT).refuted


def test_an_audit_that_could_not_refute_its_claim_is_inconclusive(gauge):
    options = {"noise_multiplier": 0.5}
    found = gauge.audit("dpsgd", defense_options=options, claim=100.0, **AUDIT)
    assert found.doubt.startswith("even perfect scores would prove no more than epsilon ")
    assert f"cannot be judged: {found.doubt}" in found.headline()
    with pytest.raises(AssertionError, match="cannot be judged: even perfect scores"):
        assert not found.refuted
    assert not found.epsilon_low < 100
    with pytest.raises(AssertionError, match="cannot be judged"):
        gauge.check(found)
