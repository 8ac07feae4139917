"""Numbers from logits: their formulas, also where probabilities round to one."""

from __future__ import annotations

import pytest
import torch

from attacks.membership.signals import logits as signals
from tests.conftest import seeded


def test_signals_equal_their_formulas():
    draw = seeded()
    logits, labels = torch.randn(5, 3, 4, generator=draw), torch.tensor([0, 1, 2, 3, 0])
    p = logits.double().softmax(-1)
    own = torch.stack([p[i, :, labels[i]] for i in range(5)])
    assert torch.allclose(signals.log_likelihood(logits, labels), own.log())
    assert torch.allclose(signals.log_odds(logits, labels), (own / (1 - own)).log())
    assert torch.allclose(signals.entropy(logits), -(p * p.log()).sum(-1))
    assert torch.allclose(signals.log_of_rest(logits), (1 - p).log())
    mixed = -(1 - own) * own.log()
    for i in range(5):
        for c in range(4):
            if c != labels[i]:
                mixed[i] -= p[i, :, c] * (1 - p[i, :, c]).log()
    assert torch.allclose(signals.modified_entropy(logits, labels), mixed)


def test_signals_stay_exact_where_probabilities_round_to_one():
    logits, right, wrong = torch.tensor([[80.0, 0.0]]), torch.tensor([0]), torch.tensor([1])
    assert signals.log_odds(logits, right).item() == pytest.approx(80)
    assert signals.log_odds(logits, wrong).item() == pytest.approx(-80)
    assert signals.log_of_rest(logits)[0, 0].item() == pytest.approx(-80)
    # All of the mass is on the wrong class: -log p_y - log(1 - p_wrong), 80 nats each.
    assert signals.modified_entropy(logits, wrong).item() == pytest.approx(160)
