"""Features are computed once, found again, and not taken for another network's or image's."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from victims.transfer import features
from victims.transfer.backbones import Backbone, load_backbone
from victims.transfer.features import features_of, key_of

SHAPE = (1, 8, 8)


class Counting(nn.Module):
    """Pixels, and how many images were asked for."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)
        self.asked = 0

    def forward(self, images):
        self.asked += len(images)
        return images.flatten(1) * self.weight


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(features, "PIECE", 4)


@pytest.fixture
def images():
    return torch.rand(10, *SHAPE, generator=torch.Generator().manual_seed(0))


def counting():
    return Backbone("raw", Counting(), batch=3)


def test_features_are_computed_once(tmp_path, images):
    first, second = counting(), counting()
    lines = []
    found = features_of(first, images, folder=tmp_path, report=lambda *line: lines.append(line))
    assert torch.equal(found, images.flatten(1))
    assert torch.equal(features_of(second, images, folder=tmp_path), found)
    assert (first.module.asked, second.module.asked) == (11, 1)  # one tells how many
    assert [done for _, done, _ in lines] == [3, 4, 7, 8, 10]
    assert {total for _, _, total in lines} == {10}


def test_a_run_that_was_killed_goes_on_after_its_last_piece(tmp_path, images):
    class Killed(Exception):
        pass

    def kill(line, done, total):
        if done > 7:
            raise Killed

    with pytest.raises(Killed):
        features_of(counting(), images, folder=tmp_path, report=kill)
    after = counting()
    found = features_of(after, images, folder=tmp_path)
    assert after.module.asked == 7
    assert torch.equal(found, images.flatten(1))
    assert not list(tmp_path.rglob(".features*"))


@pytest.mark.parametrize("damage", ["cut", "short", "wide", "pickle"])
def test_a_damaged_piece_is_computed_again(tmp_path, images, damage):
    found = features_of(counting(), images, folder=tmp_path)
    path = sorted(tmp_path.rglob("*.safetensors"))[1]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "short":
        save_file({"features": torch.zeros(3, 64)}, path)
    elif damage == "wide":
        save_file({"features": torch.zeros(4, 65)}, path)
    else:
        torch.save({"features": torch.zeros(4, 64)}, path)
    assert torch.equal(features_of(counting(), images, folder=tmp_path), found)


def test_weights_transform_name_and_pixels_are_told_apart(images):
    other = counting()
    other.module.weight += 1e-6
    moved = images.clone()
    moved[3, 0, 0, 0] += 1e-6
    keys = {
        key_of(counting(), images),
        key_of(other, images),
        key_of(Backbone("raw", Counting(), transform="resized"), images),
        key_of(Backbone("scatternet", Counting()), images),
        key_of(load_backbone("raw", SHAPE), images),
        key_of(counting(), moved),
        key_of(counting(), images[:9]),
    }
    assert len(keys) == 7
    assert key_of(counting(), images) == key_of(counting(), images.clone())


def test_only_the_owner_reads_them(tmp_path, images):
    features_of(counting(), images, folder=tmp_path)
    (place,) = tmp_path.iterdir()
    assert place.stat().st_mode & 0o077 == 0
