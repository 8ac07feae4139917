from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from scipy.io import savemat

import victims
from defenses import BadInput
from victims import Data
from victims.data import digest


def mine(split):
    return torch.full((6, 1, 9, 9), 0.5 if split == "test" else 0.1), torch.arange(6) % 3


def wrong(split):
    return torch.full((6, 1, 9, 9), 255.0), torch.arange(6)


@pytest.fixture
def folder(tmp_path):
    """Twelve 10x10 images of two classes, without a split."""
    draw = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for index in range(6):
            pixels = draw.integers(0, 256, (10, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / label / f"{index}.png")
    return tmp_path / "set"


@pytest.mark.parametrize("name", ["photos", "digits"])
def test_sets_that_are_always_there(name):
    test, train = victims.load_data(name), victims.load_data(name, split="train")
    for data in (test, train):
        assert data.images.dtype == torch.float32
        assert 0 <= data.images.min() < 0.1
        assert 0.9 < data.images.max() <= 1
        assert data.classes == len(data.names) == 10
        assert len(data.labels) == len(data.images) >= 190
    assert torch.cdist(test.images.flatten(1), train.images.flatten(1)).min() > 0


def test_a_photograph_is_in_one_split_only():
    test, train = victims.load_data("photos"), victims.load_data("photos", split="train")
    assert test.labels[:4].tolist() == [0, 1, 2, 3]
    assert not set(test.labels.tolist()) & set(train.labels.tolist())
    assert victims.load_data("photos", size=64, count=2).images.shape == (2, 3, 64, 64)


def test_count_shuffles_with_the_seed():
    first, same, other = (victims.load_data("digits", count=20, seed=s) for s in (0, 0, 1))
    assert torch.equal(first.images, same.images)
    assert not torch.equal(first.images, other.images)
    with pytest.raises(BadInput, match="digits has 500 images in this split; 501 were asked for"):
        victims.load_data("digits", count=501)


def test_the_digest_of_data_is_that_of_its_content():
    data = victims.load_data("digits", count=6)
    known = digest(data)
    assert known == digest(data.take(torch.arange(6)))
    one = data.images.clone()
    one[5, 0, 7, 7] += 2**-20
    order = torch.tensor([1, 0, 2, 3, 4, 5])
    others = (
        replace(data, images=one),
        replace(data, images=data.images.reshape(6, 1, 4, 16)),
        replace(data, labels=(data.labels + 1) % 10),
        replace(data, classes=11, names=(*data.names, "10")),
        replace(data, names=tuple(reversed(data.names))),
        data.take(order),
        data.take(order[:5]),
    )
    assert len({known, *map(digest, others)}) == 1 + len(others)
    assert len(digest(data.take(torch.arange(0)))) == 64


def test_folder_and_zip_of_it_agree(folder):
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    loose, zipped = (victims.load_data(f"folder:{p}", count=5) for p in (folder, packed))
    assert torch.equal(loose.images, zipped.images)
    assert loose.names == ("cat", "dog")
    train = victims.load_data(f"folder:{folder}", split="train")
    both = torch.cat([train.images, victims.load_data(f"folder:{folder}").images])
    assert len(torch.unique(both, dim=0)) == 12


def test_folder_with_splits_and_a_size(folder):
    for split in ("train", "test"):
        (folder / split).mkdir()
    for label in ("cat", "dog"):
        (folder / label).rename(folder / "test" / label)
        (folder / "train" / label).mkdir()
        Image.new("RGB", (30, 17)).save(folder / "train" / label / "wide.jpg")
    assert len(victims.load_data(f"folder:{folder}").labels) == 6 * 2
    scaled = victims.load_data(f"folder:{folder}", split="train", size=8)
    assert scaled.images.shape == (2, 3, 8, 8)


def test_unusable_folders_say_why(folder, tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        victims.load_data(f"folder:{tmp_path}/absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no images"):
        victims.load_data(f"folder:{tmp_path}/empty")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(BadInput, match="neither a folder nor a readable zip"):
        victims.load_data(f"folder:{tmp_path}/text.zip")
    (folder / "cat" / "0.png").write_bytes(b"\x89PNG truncated")
    with pytest.raises(BadInput, match=r"0\.png is not a readable image"):
        for split in ("train", "test"):
            victims.load_data(f"folder:{folder}", split=split)
    for path in (folder / "dog").iterdir():
        path.unlink()
    with pytest.raises(BadInput, match=r"dog holds no picture; known: \.png"):
        victims.load_data(f"folder:{folder}")
    (folder / "dog").rmdir()
    with pytest.raises(BadInput, match="one class, 'cat'"):
        victims.load_data(f"folder:{folder}")


def test_data_of_ones_own():
    data = victims.load_data("tests.victims.data.test_data:mine", count=4)
    assert isinstance(data, Data)
    assert (data.images.shape, data.classes) == ((4, 1, 9, 9), 3)
    with pytest.raises(BadInput, match=r"all of them in \[0, 1\]"):
        victims.load_data("tests.victims.data.test_data:wrong")
    with pytest.raises(
        BadInput,
        match=r"'phottos'; did you mean photos\? known: photos, digits",
    ):
        victims.load_data("phottos")
    with pytest.raises(BadInput, match="known: train, test"):
        victims.load_data("photos", split="validation")


def test_a_missing_set_names_the_two_that_work(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.SVHN.download", lambda self: 1 / 0)
    with pytest.raises(BadInput, match="'photos' and 'digits' always work"):
        victims.load_data("svhn", root=tmp_path)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_mnist_files_in_their_real_format(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    for kind in ("train", "t10k"):
        images = struct.pack(">4i", 2051, 3, 28, 28) + pixels.tobytes()
        labels = struct.pack(">2i", 2049, 3) + bytes([1, 2, 3])
        for name, content in (("images-idx3", images), ("labels-idx1", labels)):
            (raw / f"{kind}-{name}-ubyte").write_bytes(content)
            (raw / f"{kind}-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    data = victims.load_data("mnist", root=tmp_path)
    assert torch.equal((data.images * 255).round().byte()[:, 0], torch.from_numpy(pixels))
    assert data.labels.tolist() == [1, 2, 3]


def test_cifar100_files_in_their_real_format(tmp_path, monkeypatch):
    base = tmp_path / "cifar-100-python"
    base.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    for name in ("train", "test"):
        content = {"data": pixels, "fine_labels": [5, 99, 0, 5]}
        (base / name).write_bytes(pickle.dumps(content))
    (base / "meta").write_bytes(pickle.dumps({"fine_label_names": [str(i) for i in range(100)]}))
    kind = torchvision.datasets.CIFAR100
    for listing, name in (("train_list", "train"), ("test_list", "test")):
        monkeypatch.setattr(kind, listing, [[name, md5(base / name)]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(base / "meta")})
    data = victims.load_data("cifar100", root=tmp_path)
    assert (data.images.shape, data.classes) == ((4, 3, 32, 32), 100)
    assert torch.equal((data.images * 255).round().byte().flatten(1), torch.from_numpy(pixels))


def test_svhn_files_in_their_real_format(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 2), dtype=np.uint8)
    path = tmp_path / "test_32x32.mat"
    savemat(path, {"X": pixels, "y": np.array([[10], [3]])})
    kind = torchvision.datasets.SVHN
    monkeypatch.setattr(kind, "split_list", {"test": ["", path.name, md5(path)]})
    data = victims.load_data("svhn", root=tmp_path)
    assert data.labels.tolist() == [0, 3]
    assert torch.equal(
        (data.images * 255).round().byte(), torch.from_numpy(pixels.transpose(3, 2, 0, 1))
    )
