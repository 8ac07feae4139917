"""Captured updates are checked over the parameters that are used, and over nothing else."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import defenses
from attacks.invert.observation.load import load_observation
from defenses import BadInput


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(6), nn.Linear(6, 2)
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)


NET = Net()
GOOD = {k: torch.full_like(p, 0.25) for k, p in NET.named_parameters() if p.requires_grad}
BUFFERS = {k: v.clone() for k, v in NET.named_buffers()} | {"frozen": torch.ones(2)}


def load(path, tensors):
    save_file(tensors, path)
    return load_observation(path, NET, defenses.get("none"), 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "update.safetensors"


def test_buffers_and_frozen_parameters_are_passed_over(path):
    odd = {k: v * float("nan") if v.is_floating_point() else v for k, v in BUFFERS.items()}
    for more in ({}, BUFFERS, odd):
        release = load(path, GOOD | more)
        assert release.update.keys() == GOOD.keys()
        assert release.wire_bytes == 4 * sum(v.numel() for v in GOOD.values())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floating_point_numbers_are_taken_as_float32(path, dtype):
    release = load(path, {k: v.to(dtype) for k, v in GOOD.items()})
    assert all(torch.equal(release.update[k], v) for k, v in GOOD.items())


@pytest.mark.parametrize("start", ["module.", "_module.", "_orig_mod.", "module._orig_mod."])
def test_names_that_a_wrapper_has_put_before_are_those_of_the_model(path, start):
    release = load(path, {start + k: v for k, v in (GOOD | BUFFERS).items()})
    assert all(torch.equal(release.update[k], v) for k, v in GOOD.items())


def test_names_that_two_wrappers_share_are_refused(path):
    with pytest.raises(BadInput, match=r"lacks the parameter 'linear\.bias'"):
        load(path, {s + k: v.clone() for k, v in GOOD.items() for s in ("module.", "_module.")})


WEIGHT = "linear.weight"
BAD = {
    "zeros": ({k: 0 * v for k, v in GOOD.items()}, "zero in all 4 trainable parameters"),
    "zeros beside buffers": ({k: 0 * v for k, v in GOOD.items()} | BUFFERS, "is zero in all 4"),
    "buffers alone": (BUFFERS, "lacks the parameter 'linear.bias'"),
    "nothing": ({}, "lacks the parameter"),
    "infinite": (GOOD | {WEIGHT: torch.full((2, 6), float("inf"))}, "must hold finite"),
    "too large": (
        GOOD | {WEIGHT: torch.full((2, 6), 1e300, dtype=torch.float64)},
        "in float32",
    ),
    "integers": (GOOD | {WEIGHT: torch.ones(2, 6, dtype=torch.int64)}, "is torch.int64"),
    "transposed": (GOOD | {WEIGHT: torch.ones(6, 2)}, r"is \(6, 2\); the model has \(2, 6\)"),
    "one too many": (GOOD | {"module.head": torch.ones(1)}, "which the model does not have"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_attacked_is_refused_in_one_line(path, kind):
    tensors, message = BAD[kind]
    with pytest.raises(BadInput, match=message) as caught:
        load(path, tensors)
    assert "\n" not in str(caught.value)


def spoilt(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04cos\nsystem\n",
        struct.pack("<Q", 2**62) + b"{}",
        spoilt(b"[" * 5000),
        spoilt(b"\xff\xfe"),
        spoilt(json.dumps({"__metadata__": {"a": {"b": 1}}}).encode()),
        spoilt(json.dumps({WEIGHT: {"dtype": "F32", "shape": [2, 6]}}).encode()),
        spoilt(
            json.dumps(
                {WEIGHT: {"dtype": "F32", "shape": [2**40, 6], "data_offsets": [0, 48]}}
            ).encode()
        ),
    ],
)
def test_a_spoilt_file_is_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is not a readable safetensors file"):
        load_observation(path, NET, defenses.get("none"), 1)
    with pytest.raises(BadInput, match="is not a readable safetensors file"):
        load_observation(path.parent, NET, defenses.get("none"), 1)
