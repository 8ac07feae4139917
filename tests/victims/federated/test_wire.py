"""What travels comes back as it was, or is refused."""

from __future__ import annotations

import pytest
import torch

from tests.conftest import seeded
from tests.victims.federated.updates import one
from victims.federated import wire


class TestWhatTravels:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.6, 1.0])
    def test_an_update_comes_back_as_it_was(self, share):
        update = {
            k: v * (torch.rand(v.shape, generator=seeded()) < share) for k, v in one().items()
        }
        packed = wire.pack(update)
        zeros = {k: torch.zeros_like(v) for k, v in update.items()}
        assert all(torch.equal(v, update[k]) for k, v in wire.unpack(packed, zeros).items())
        kept = sum(int(v.count_nonzero()) for v in update.values())
        assert wire.size(packed) <= min(8 * kept, 4 * 1240)

    def test_a_part_is_laid_onto_what_the_participant_has(self):
        server, own = one(), one(seed=1)
        mask = {k: v > 0 for k, v in server.items()}
        laid = wire.unpack(wire.pack(server, mask), own)
        assert all(torch.equal(laid[k], torch.where(mask[k], server[k], own[k])) for k in own)

    @pytest.mark.parametrize(
        "sent",
        [
            {"weight": torch.ones(3), "weight#indices": torch.tensor([0, 1])},
            {"weight": torch.ones(2), "weight#indices": torch.tensor([0, 1200])},
            {"weight": torch.ones(2), "weight#indices": torch.tensor([0, -1])},
            {"other": torch.ones(2), "other#indices": torch.tensor([0, 1])},
            {"weight": torch.ones(1, 2), "weight#indices": torch.tensor([[0, 1]])},
            {"weight": torch.ones(2).double(), "weight#indices": torch.tensor([0, 1])},
        ],
    )
    def test_indices_that_do_not_fit_are_refused(self, sent):
        sent = {k: v.int() if "#" in k else v for k, v in sent.items()}
        with pytest.raises(ValueError, match=r"do not fit|out of range"):
            wire.unpack(sent, {k: torch.zeros_like(v) for k, v in one().items()})
