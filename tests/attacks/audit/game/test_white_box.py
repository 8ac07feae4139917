"""What the adversary subtracts from a release."""

from __future__ import annotations

import pytest

from attacks.audit.game.white_box import contribution
from victims.training import Training
from victims.training.prepare import prepare


@pytest.mark.parametrize(
    "changed",
    [
        {"defense": "dpsgd"},
        {"defense": "dpsgd+ats"},
        {"defense": "dpsgd+precode"},
        {"defense": "dpsgd", "views": 2, "model": "lenet"},
        {"defense": "dprs", "defense_options": {"noise_multiplier": 0.0, "rate": 0.5}},
    ],
    ids=lambda c: " ".join(str(v) for v in c.values()),
)
def test_what_the_others_gave_is_known_to_the_adversary(changed):
    """Their views, augmentations and draws too: without noise nothing is left of a release."""
    about = {"data": "digits", "model": "mlp", "count": 60, "batch_size": 20, "epochs": 2}
    options = {"defense_options": {"noise_multiplier": 0.0}}
    victim = prepare(Training(**{**about, **options, **changed})).trainer
    for _ in range(3):
        believed, weights, index = victim.informed(), victim.network.weights(), victim.sample()
        release = victim.advance()
        known = contribution(victim, index, weights, believed, release)
        for name, value in release.update.items():
            left = (value - known[name]).norm()
            assert float(left) <= 1e-4 * max(float(value.norm()), 1e-6)
