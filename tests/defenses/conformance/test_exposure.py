"""Conformance of what acts before the gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import defenses
from defenses import Before
from defenses.conformance import examine
from tests.conftest import SHARED_OPTIONS


@pytest.mark.parametrize("name", ["ats", "precode", "dpsgd+ats+precode", "topk+ats"])
def test_ours_conform(name):
    fields = defenses.registry.find(name).__dataclass_fields__
    options = {k: v for k, v in SHARED_OPTIONS.items() if k in fields}
    assert not [f for f in examine(defenses.get(name, **options)) if not f.holds]


def test_what_mixes_examples_or_hides_its_draws_is_found():
    class Whitened(Before):
        def view(self, images: Tensor, way: int) -> Tensor:
            return (images - images.mean(0) + 0.5).clamp(0, 1)

    class Bright(Before):
        def view(self, images: Tensor, way: int) -> Tensor:
            return 2 * images

    class Jitter(Before):
        def view(self, images: Tensor, way: int) -> Tensor:
            return torch.rand_like(images)

    class Secret(Before):
        def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
            return nn.Sequential(model, nn.Dropout(0.5))

    class Batched(Before):
        def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
            return nn.Sequential(model, nn.Softmax(0))

    class Rude(Before):
        def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
            for p in model.parameters():
                p.data.zero_()
            return model

    told = {
        Whitened: "otherwise in a batch than alone",
        Bright: r"leaves [0, 1]",
        Jitter: "otherwise in a batch than alone",
        Secret: "has no attribute `draws`",
        Batched: "depend on the others",
        Rude: "handed over is changed",
    }
    for cls, words in told.items():
        (finding,) = [f for f in examine(cls()) if f.check == "before"]
        assert not finding.holds
        assert words in finding.told
