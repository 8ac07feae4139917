"""Secure aggregation: the mean over participants is the batch's release, noise included."""

from __future__ import annotations

import math

import pytest
import torch

import defenses
from attacks.families import run
from attacks.invert.aggregated import SUMMED, aggregate
from attacks.invert.command import command_line, parse, scenario
from attacks.invert.scenario import Scenario
from attacks.invert.show import table
from defenses import BadInput
from tests.conftest import seeded

GRADS = {"w": torch.randn(12, 4000, generator=torch.Generator().manual_seed(0))}
NOISY = {"noise_multiplier": 0.5, "clip": 2.0}


@pytest.mark.parametrize("name", SUMMED)
def test_the_mean_over_participants_is_one_release_of_their_whole_batch(name):
    each = defenses.get(name, **({} if name == "none" else NOISY))
    whole, n = aggregate(each, 4), 4
    draw = seeded(1)
    parts = [{"w": part} for part in GRADS["w"].split(3)]
    mean = sum(each.release(part, generator=draw).update["w"] for part in parts) / n
    release = whole.release(GRADS, generator=seeded(2))
    off = mean - whole.replay(GRADS, release)["w"]
    assert float(off.std()) == pytest.approx(release.public["noise_std"], rel=0.05, abs=1e-6)
    assert release.public["batch_size"] == 12


def test_noise_of_all_counts_for_the_sum_and_one_participant_is_as_before():
    each = defenses.get("dpsgd", **NOISY)
    assert aggregate(each, 1) is each
    assert aggregate(each, 9).effective_noise() == pytest.approx(3 * each.effective_noise())


@pytest.mark.parametrize("name", ["dssgd", "dprs", "sign", "topk"])
def test_what_selects_or_rounds_at_each_participant_is_refused_in_one_line(name):
    with pytest.raises(BadInput, match="is no release of their whole batch") as caught:
        aggregate(defenses.get(name), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"secure_aggregation": 3, "batch": 4, "images": 4}, "in equal parts"),
        ({"secure_aggregation": 0}, "in equal parts"),
        (
            {"secure_aggregation": 2, "batch": 4, "images": 4}
            | {"local_steps": 2, "local_lr": 0.1, "local_batch": 2},
            "is of gradients",
        ),
    ],
)
def test_bad_numbers_of_participants_are_refused(changed, message):
    with pytest.raises(BadInput, match=message):
        Scenario(**changed)


def test_a_study_says_what_the_server_sees_and_what_it_guarantees(tmp_path):
    words = "--data digits --model linear --images 2 --batch 2 --attack prior --defense dpsgd"
    asked = scenario(parse([*words.split(), "--secure-aggregation", "2", "--against"]))
    assert scenario(parse(command_line(asked).split()[3:])) == asked
    alone = scenario(parse([*words.split(), "--against"]))
    assert "secure_aggregation" not in alone.document()
    record = run(asked, out=tmp_path)
    assert record.bounds["dpsgd"]["options"]["noise_multiplier"] == pytest.approx(
        0.01 * math.sqrt(2)
    )
    assert "of 2 participants behind secure aggregation" in table(record)
