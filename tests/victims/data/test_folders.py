"""Folders and zips of class folders: links, hidden files, layouts, what is passed over, bombs."""

from __future__ import annotations

import os
import stat
import warnings
import zipfile
from zlib import crc32

import numpy as np
import pytest
import torch
from PIL import Image

import victims
from defenses import BadInput
from defenses.errors import PassedOver
from reports.commands import listing
from victims.data import folders, pictures


def fill(place, count=4, suffix=".png", grey=False):
    place.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(crc32(place.name.encode()))
    for index in range(count):
        pixels = draw.integers(0, 256, (9, 9) if grey else (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{index}{suffix}")


@pytest.fixture
def home(tmp_path):
    fill(tmp_path / "set" / "cat")
    fill(tmp_path / "set" / "dog")
    return tmp_path / "set"


def both(place):
    """Names of the classes and how many images the two splits hold together; no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = [victims.load_data(f"folder:{place}", split=s) for s in ("train", "test")]
    assert parts[0].names == parts[1].names
    return parts[0].names, sum(len(p.labels) for p in parts)


def refused(place, why):
    with pytest.raises(BadInput, match=why) as caught:
        victims.load_data(f"folder:{place}")
    assert "\n" not in str(caught.value)


def test_links_to_classes_and_to_pictures_are_followed(home, tmp_path):
    fill(tmp_path / "elsewhere")
    (home / "bird").symlink_to(tmp_path / "elsewhere")
    (home / "cat" / "linked.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    assert both(home) == (("bird", "cat", "dog"), 13)
    (home / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(BadInput, match=r"cat/gone\.png is not a readable image: .*No such file"):
        both(home)


def test_links_that_go_round_are_refused(home):
    (home / "cat" / "again").symlink_to(home)
    refused(home, "cat/again is a link to a folder that holds it")


def test_what_is_no_part_of_the_data_is_counted_once(home):
    fill(home / ".ipynb_checkpoints")
    fill(home / "__MACOSX" / "cat")
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (home / "cat" / name).write_bytes(b"x")
    fill(home, 1)
    os.mkfifo(home / "cat" / "pipe.png")
    with pytest.warns(UserWarning, match="passed over") as told:
        data = victims.load_data(f"folder:{home}")
    assert data.names == ("cat", "dog")
    assert len(told) == 1
    assert told[0].category is PassedOver
    for part in ("5 hidden", "1 no picture by its suffix", "1 outside class", "1 no file"):
        assert part in str(told[0].message)


@pytest.mark.parametrize("suffix", [".tif", ".GIF", ".PNG", ".JpEg", ".webp"])
def test_a_class_of_another_suffix_is_a_class(home, suffix):
    fill(home / "eel", suffix=suffix)
    assert both(home) == (("cat", "dog", "eel"), 12)


def test_a_class_without_pictures_is_refused_by_name(home):
    (home / "eel").mkdir()
    refused(home, "eel holds no picture; known")
    (home / "eel" / "0.heic").write_bytes(b"x")
    refused(home, r"eel holds no picture but 1 other files, such as eel/0\.heic")


def test_deeper_pictures_belong_to_their_class_unless_it_could_be_another(home):
    fill(home / "cat" / "2024")
    fill(home / "dog" / "2024" / "may")
    assert both(home) == (("cat", "dog"), 16)
    refused(home.parent, "lies deeper than in a class folder")


def test_split_folders(home, tmp_path):
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            fill(tmp_path / "two" / split / label)
    assert both(tmp_path / "two") == (("cat", "dog"), 16)
    fill(tmp_path / "two" / "val" / "cat")
    with pytest.warns(UserWarning, match="4 neither in train nor in test"):
        assert len(victims.load_data(f"folder:{tmp_path}/two").labels) == 8
    fill(tmp_path / "two" / "eel")
    refused(tmp_path / "two", "holds the class 'eel' beside train and test")
    fill(tmp_path / "half" / "train" / "cat")
    fill(tmp_path / "half" / "train" / "dog")
    refused(tmp_path / "half", "no images for 'test'")
    for label in ("car", "train"):  # a class may have that name
        fill(tmp_path / "traffic" / label)
    assert both(tmp_path / "traffic") == (("car", "train"), 8)


def test_channels_do_not_depend_on_which_pictures_are_drawn(home):
    fill(home / "eel", count=60, grey=True)
    parts = [victims.load_data(f"folder:{home}", count=1, seed=s) for s in range(6)]
    assert {p.images.shape[1] for p in parts} == {3}
    fill(home / "cat", grey=True)
    fill(home / "dog", grey=True)
    assert victims.load_data(f"folder:{home}", count=1).images.shape == (1, 1, 9, 9)


def zipped(path, files, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_zips_as_people_make_them(home, tmp_path):
    loose = victims.load_data(f"folder:{home}")
    files = {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*.png")}
    ways = {
        "windows": {k.replace("/", "\\"): v for k, v in files.items()},
        "one-folder": {f"set/{k}": v for k, v in files.items()},
        "with-dots": {f"./{k}": v for k, v in files.items()},
    }
    for name, held in ways.items():
        packed = zipped(tmp_path / f"{name}.zip", held)
        assert torch.equal(victims.load_data(f"folder:{packed}").images, loose.images), name
    packed = zipped(tmp_path / "mac.zip", {**files, "__MACOSX/cat/._0.png": b"x"})
    with pytest.warns(UserWarning, match="1 hidden"):
        assert torch.equal(victims.load_data(f"folder:{packed}").images, loose.images)


@pytest.mark.parametrize(
    "name", ["../cat/x.png", "/etc/x.png", "C:\\cat\\x.png", "cat/../../x.png"]
)
def test_names_that_leave_the_zip_are_refused(home, tmp_path, name):
    refused(zipped(tmp_path / "set.zip", {name: b"x"}), "leads out of the zip")


def test_zips_that_lie_about_what_they_hold(home, tmp_path, monkeypatch):
    picture = (home / "cat" / "0.png").read_bytes()
    files = {f"{c}/{i}.png": picture for c in ("cat", "dog") for i in range(2)}

    def broken(change, how=zipfile.ZIP_DEFLATED):
        path = zipped(tmp_path / "set.zip", files, how)
        path.write_bytes(change(path.read_bytes()))
        return path

    # Of the central directory: bit 0 of the flags, the unpacked size.
    encrypted = broken(
        lambda b: b.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0")
    )
    refused(encrypted, "is not a readable image: it is encrypted")
    size = len(picture).to_bytes(4, "little")
    refused(
        broken(lambda b: b.replace(size, (len(picture) // 2).to_bytes(4, "little"))),
        "not a readable",
    )
    refused(broken(lambda b: b, zipfile.ZIP_BZIP2), "packed otherwise than by deflate")
    monkeypatch.setattr(listing, "MAX_BYTES", 100)
    refused(broken(lambda b: b), "unpacks to more than")
    refused(home, "it has more than")


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for label in ("cat", "dog"):
            for index in range(2):
                link = zipfile.ZipInfo(f"{label}/{index}.png")
                link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
                archive.writestr(link, "/etc/passwd")
    refused(path, "symbolic link, which a zip does not follow")


def test_no_more_than_fits(home, monkeypatch):
    monkeypatch.setattr(folders, "MAX_VALUES", 900)
    refused(home, r"4 images of \(3, 9, 9\) .* give a smaller --count or --size")
    assert len(victims.load_data(f"folder:{home}", count=3).labels) == 3
    monkeypatch.setattr(pictures, "MAX_PIXELS", 80)
    refused(home, "it unpacks to 9x9 pixels; 80 are allowed")
    monkeypatch.setattr(listing, "MAX_FILES", 5)
    refused(home, "more than 5 files")


def test_paths_that_name_nothing():
    for spec in ("folder:", "folder: "):
        with pytest.raises(BadInput, match="names no path"):
            victims.load_data(spec)
