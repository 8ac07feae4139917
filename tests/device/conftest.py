"""Tests on a device: on a GPU with ``-m cuda``, else on one that is pretended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.device.pretend import NAME, pretended


@pytest.fixture(params=["pretended", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """A device as ``.to`` takes it, whose float32 is as exact as the CPU's."""
    if request.param == "pretended":
        with pretended():
            yield NAME
        return
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield "cuda"
    torch.backends.cudnn.allow_tf32 = before
