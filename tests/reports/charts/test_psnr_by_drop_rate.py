"""PSNR against drop rate and noise: what each row says, and that its names can be read."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from reports.charts import psnr_by_drop_rate, run_outs
from reports.charts.chart import PAPER
from reports.charts.psnr_by_drop_rate import Victim, drop_rate_chart
from reports.charts.run_outs import RunOut
from reports.estimates import Median

MEDIAN = Median(60.0, 50.0, 60.0, 8)
GUESS = Median(12.0, 10.0, 14.0, 8)
VICTIM = Victim(
    "net",
    {"untrained": ((0.0, MEDIAN), (0.9, MEDIAN))},
    {"untrained": ((1e-4, MEDIAN), (1.0, GUESS))},
    GUESS,
    tuple(RunOut(f"layer {k}", rate, rate) for k, rate in enumerate((0.5, 0.501, 0.502, 0.944))),
    RunOut("predicted cliff", 0.943, 0.9442),
)


def test_names_stand_above_the_data_and_apart():
    figure = psnr_by_drop_rate._draw((VICTIM,), "a title", PAPER)
    above, _, data, _ = figure.axes
    texts = {text.get_text(): text.get_position()[0] for text in above.texts}
    assert list(texts)[-1] == "predicted cliff 94.3-94.4%"  # stands for its own layer, too
    places = sorted(texts.values())
    assert len(places) == 4
    assert all(b - a >= 0.99 * run_outs.APART for a, b in pairwise(places))
    assert not data.texts
    assert data.get_ylim()[1] < 64


@pytest.mark.filterwarnings("error")
def test_a_sweep_that_has_just_begun_is_drawn_too():
    noisy = {"untrained": ((0.1, MEDIAN),)}
    figure = psnr_by_drop_rate._draw((dataclasses.replace(VICTIM, noisy=noisy),), "a title", PAPER)
    beside = figure.axes[3]
    assert [text.get_text() for text in beside.get_xticklabels()] == ["0.1"]


@pytest.mark.filterwarnings("error")
def test_nothing_is_drawn_where_no_noise_was_tried():
    bare = dataclasses.replace(VICTIM, noisy={})
    loud = dataclasses.replace(VICTIM, noisy={"untrained": ((0.0, MEDIAN), (0.1, MEDIAN))})
    figure = psnr_by_drop_rate._draw((loud, bare), "a title", PAPER)
    _, _, _, first, _, _, _, last = figure.axes
    assert first.axison and not last.axison
    assert first.get_xlabel() and first.xaxis.get_tick_params()["labelbottom"]
    assert not last.lines and not last.patches


@pytest.mark.parametrize("places", [[0.1, 0.1, 0.1], [0.97, 0.99, 1.0], [0.2, 0.5]])
def test_places_are_moved_apart_and_stay_on_the_axis(places):
    moved = run_outs._apart(places)
    assert all(b - a > 0.99 * run_outs.APART for a, b in pairwise(moved))
    assert max(moved) <= 1.0


def test_words_say_the_cliff():
    text = drop_rate_chart([VICTIM], "8 images").alt
    assert "predicted cliff at 0.9442" in text
    assert "60.0 [50.0, 60.0] at rate 0.9" in text


@pytest.mark.parametrize(
    ("value", "told"), [(1e-6, "1e-6"), (0.1, "0.1"), (1.0, "1"), (3e-3, "0.003"), (0.0, "0")]
)
def test_noise_is_written_short(value, told):
    assert psnr_by_drop_rate._power(value) == told
