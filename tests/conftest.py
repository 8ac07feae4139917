from __future__ import annotations

import os

# Tests run in one process per core; more threads than one in each would get in each other's way.
if not os.environ.get("OMP_NUM_THREADS"):
    os.environ["OMP_NUM_THREADS"] = "1"

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

import defenses
import victims
from attacks.invert import Threat
from attacks.invert.__main__ import PROG, main
from defenses import Defense, Release, Side, preprocessing
from reports.commands.entry import run_command

# As much residual as embedding, so that the noise std that gep states is nearly all of its noise.
SHARED_OPTIONS = {
    "clip": 1.0,
    "noise_multiplier": 0.5,
    "rate": 0.6,
    "basis": 8,
    "residual_clip": 1.0,
    "gamma": 10.0,
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported stays as long as the process: no look for garbage need go through it."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The docs' example for users is as they write it, with no marks of ours."""
    for item in items:
        if item.nodeid.endswith("test_softclip.py::test_pictures_stay_private"):
            item.add_marker(pytest.mark.slow)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def configured(name: str, **changed: Any) -> Defense:
    """A registered defense with those of the shared options that it has.

    One that wants side information gets it for the parameters of `random_gradients`.
    """
    fields = defenses.registry.find(name).__dataclass_fields__
    options = {**SHARED_OPTIONS, **changed}
    defense = defenses.get(name, **{k: v for k, v in options.items() if k in fields})
    public = random_gradients(batch=8, seed=77)
    known = {"anchors": public, "moved": {k: g[0] for k, g in public.items()}}
    side = {k: v for k, v in known.items() if k in defense.wants}
    return defense.informed(Side(**side)) if side else defense


def random_gradients(batch: int = 3, seed: int = 0, scale: float = 1.0) -> dict[str, Tensor]:
    draw = seeded(seed)
    shapes = {"weight": (40, 30), "bias": (40,)}
    return {k: scale * torch.randn(batch, *s, generator=draw) for k, s in shapes.items()}


@pytest.fixture
def gradients() -> Callable[..., dict[str, Tensor]]:
    return random_gradients


@pytest.fixture(scope="session")
def photos() -> victims.Data:
    return victims.load_data("photos")


@pytest.fixture(scope="session")
def auxiliary() -> victims.Data:
    return victims.load_data("photos", split="train", count=64)


@pytest.fixture(scope="session")
def lenet() -> nn.Module:
    return victims.load_model("lenet")


@pytest.fixture(scope="session")
def guarded(lenet: nn.Module) -> nn.Module:
    """LeNet with a bottleneck that draws."""
    made = preprocessing.equip(defenses.get("precode"), lenet, seeded())
    return preprocessing.let_draw(made.eval())


@pytest.fixture
def observe(
    photos: victims.Data, auxiliary: victims.Data
) -> Callable[..., tuple[Release, Threat, Tensor, Tensor]]:
    """Release a batch of photographs under a defense, and what the adversary knows of it.

    ``edge`` makes them smaller where a test needs no more pixels: they are cut out once.
    """

    def make(
        model: nn.Module,
        defense: Defense,
        first: int = 0,
        batch: int = 1,
        edge: int = 32,
        **known: Any,
    ) -> tuple[Release, Threat, Tensor, Tensor]:
        images = adaptive_avg_pool2d(photos.images[first : first + batch], edge)
        labels = photos.labels[first : first + batch]
        grads = victims.per_example_gradients(model, cross_entropy, images, labels)
        release = defense.release(grads, generator=seeded(first))
        facts = {
            "defense": defense,
            "adaptive": True,
            "image_shape": (3, edge, edge),
            "classes": photos.classes,
            "batch_size": batch,
            "auxiliary_images": adaptive_avg_pool2d(auxiliary.images, edge),
            "auxiliary_labels": auxiliary.labels,
        }
        return release, Threat(**{**facts, **known}), images, labels

    return make


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run attacks.invert in this process; returns exit code, output and errors."""

    def go(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [PROG, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            run_command(main, PROG)
        text = capsys.readouterr()
        return left.value.code, text.out, text.err

    return go
