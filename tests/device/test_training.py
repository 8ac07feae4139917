"""A run on a device goes the way of the run on the CPU, and what it keeps lies on the CPU."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import defenses
from tests.conftest import SHARED_OPTIONS
from tests.device.pretend import BACK, CALLS, READ, THERE, counted
from victims.training import Training
from victims.training.logits import logits
from victims.training.prepare import prepare
from victims.training.state import restore, state

APART = {"data": "tests.parts:private", "public": "tests.parts:public"}
STEPS = 3
CALLS_PER_TENSOR = 20
CHOOSING = ("prune", "topk")
"""Defenses that keep the largest coordinates: of two that are alike rounding keeps one."""


def training(name, **changed):
    fields = defenses.registry.find(name).__dataclass_fields__
    options = {k: v for k, v in SHARED_OPTIONS.items() if k in fields}
    apart = APART if "anchors" in defenses.get(name).wants else {}
    base = Training(
        data="digits",
        count=40,
        model="mlp",
        defense=name,
        defense_options=options,
        batch_size=8,
        epochs=2,
        lr=0.1,
        anchors=16,
    )
    return dataclasses.replace(base, **{**apart, **changed})


def run(t, device):
    prepared = prepare(t, device=device)
    for _ in range(STEPS):
        prepared.trainer.advance()
    return prepared


def same(t, device, forks=0.0):
    """Compare a run on the CPU to one on the device.

    Of each tensor a share ``forks`` of the coordinates may differ by more than rounding.
    """
    here, there = run(t, "cpu"), run(t, device)
    first, second = state(here.trainer), state(there.trainer)
    assert first.keys() == second.keys()
    for key, value in second.items():
        assert value.device.type == "cpu"
        near = torch.isclose(value.double(), first[key].double(), rtol=2e-3, atol=2e-5)
        assert float((~near).double().mean()) <= forks, key
    right = [p.trainer.correct(*p.test) for p in (here, there)]
    assert abs(right[0] - right[1]) <= 2
    asked = logits(there.trainer, there.train.images[:4], 2)
    assert asked.device.type == "cpu"
    torch.testing.assert_close(
        asked, logits(here.trainer, here.train.images[:4], 2), rtol=1e-2, atol=1e-3
    )
    return there


@pytest.mark.parametrize("name", [n for n in defenses.names() if n != "precode"])
def test_every_defense_trains_as_on_the_cpu(name, device):
    same(training(name), device, forks=0.01 if name in CHOOSING else 0.0)


def test_a_bottleneck_that_draws_trains(device):
    """Its noise is drawn where it computes, so that it is another on another device."""
    assert run(training("precode"), device).trainer.step == STEPS


@pytest.mark.parametrize(
    "changed",
    [
        {"momentum": 0.9, "weight_decay": 0.01, "average": 0.9},
        {"optimizer": "adam", "lr": 0.01, "schedule": "cosine"},
        {"sampling": "shuffle", "views": 2, "model": "lenet"},
        {"layers": "last"},
        {"secure": True},
        pytest.param(
            {"model": "scatter-linear", "data": "photos", "batch_size": 4}, marks=pytest.mark.slow
        ),
    ],
    ids=lambda c: "-".join(map(str, c.values())),
)
def test_every_way_of_training_goes_as_on_the_cpu(changed, device):
    t = training("dprs", **changed)
    if t.secure:
        assert run(t, device).trainer.step == STEPS
    else:
        same(t, device)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_a_state_is_restored_on_the_device(device):
    t = training("adaptive", momentum=0.9)
    one, other = run(t, device).trainer, prepare(t, device=device).trainer
    restore(other, state(one))
    one.advance()
    other.advance()
    first, second = state(one), state(other)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("name", "asked"), [("none", 3), ("dpsgd", 0), ("dprs", 0)])
def test_a_private_step_sends_images_labels_and_noise_and_waits_for_nothing(name, asked, device):
    trainer = prepare(training(name, model="lenet5", data="photos"), device=device).trainer
    trainer.advance()
    with counted() as crossings:
        trainer.advance()
    assert crossings[BACK] == 0
    assert crossings[THERE] <= 3
    assert crossings[READ] <= asked


@pytest.mark.parametrize("name", ["none", "dpsgd", "dprs"])
def test_a_step_is_few_calls(name, device):
    """Each is a kernel to start, which takes a GPU longer than most of them take to run."""
    trainer = prepare(training(name, model="lenet5", data="photos"), device=device).trainer
    trainer.advance()
    with counted() as crossings:
        trainer.advance()
    assert crossings[CALLS] <= CALLS_PER_TENSOR * len(trainer.parameters)
