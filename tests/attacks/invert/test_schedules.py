"""Scheduled defenses are attacked at several rounds of a run, and the worst counts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import defenses
from attacks import Scenario, run
from attacks.invert.command import command_line
from attacks.invert.drift import with_drift
from attacks.invert.schedules import STEPS, keep_worst, schedule
from attacks.invert.show import table
from attacks.leakage.fixture import Leakage
from defenses import BadInput, Side, option
from reports import records
from reports.charts.reconstructions import reconstruction_chart
from reports.charts.render import to_png
from reports.panels.build import build_panels
from reports.records import inversion
from reports.records.find import Source, gather
from reports.records.kinds import sort_out
from reports.records.rounds import part_column
from reports.tables.panels import panel_table
from tests import outcomes

HERE = "tests.attacks.invert.test_schedules"

QUICK = {"data": "digits", "model": "linear", "images": 2, "against": ("none",)}
QUICK |= {"attack": "analytic", "candidates": 8, "evaluations": 20}
DPSGD = defenses.registry.find("dpsgd")


@dataclass(frozen=True)
class Louder(DPSGD):
    """A user's own: noise that fades along the run."""

    last: float = option(0.001, "noise multiplier of the last step", low=0)

    def at(self, step, steps):
        share = step / max(1, steps - 1)
        noise = self.noise_multiplier * (1 - share) + self.last * share
        return dataclasses.replace(self, noise_multiplier=noise, last=noise)


@dataclass(frozen=True)
class Fades(DPSGD):
    """A user's own, whose noise fades with the step of its release; `at` does not say so."""

    def plan(self, like, *, step, steps, generator):
        return {"noise_std": self.noise_multiplier * self.clip * (1 - step / max(1, steps))}

    def finish(self, total, plan, *, batch_size, generator):
        std = plan["noise_std"] / batch_size
        return super().finish(total, {"noise_std": std}, batch_size=batch_size, generator=generator)


def record_of(defense: str, **options):
    return run(Scenario(**QUICK, defense=defense, defense_options=options))


@pytest.fixture(scope="module")
def cooled():
    return record_of("dprs", rate=0.999, noise_multiplier=0.001)


# Which rounds


@pytest.mark.parametrize("name", ["dprs", "dprs+quantize", f"{HERE}:Louder"])
def test_first_middle_and_last_round_of_a_schedule_are_attacked(name):
    found = schedule(defenses.get(name), 3)
    assert list(found.fixed) == [0, STEPS // 2, STEPS - 1]
    assert len(schedule(defenses.get(name), 5).fixed) == 5
    assert list(found.labels(name)) == [f"{name}@{step}" for step in found.fixed]


@pytest.mark.parametrize("name", ["none", "dpsgd", "topk", "topk+quantize", "gep", "ats", "randk"])
def test_without_a_schedule_there_is_one_round(name):
    shield = defenses.get(name)
    found = schedule(shield, 3)
    assert not found.fixed and not found.unseen
    assert found.labels(name) == {name: shield}


def test_a_rate_that_does_not_change_is_no_schedule():
    for options in ({"cooling": False}, {"rate": 0.0}):
        assert not schedule(defenses.get("dprs", **options), 3).fixed
    assert not schedule(defenses.get("dprs"), 0).fixed  # the round is given


def test_what_a_run_must_remember_is_attacked_at_its_first_round_and_said():
    found = schedule(defenses.get("adaptive"), 3)
    assert not found.fixed and found.unseen == (500, 999)
    assert "not attacked here" in found.round_at(0).told()


def test_too_few_rounds_are_refused():
    with pytest.raises(BadInput, match="moments is 1; it must be >= 2"):
        Scenario(moments=1)
    assert "--moments 5" in command_line(Scenario(moments=5))


@pytest.mark.parametrize("name", ["none", "dpsgd", "topk", "gep", "randk", "quantize"])
def test_releases_alone_tell_no_schedule_where_there_is_none(name):
    like = {"w": torch.zeros(8, 6), "b": torch.zeros(8)}
    shield = defenses.get(name)
    if shield.wants:
        shield = shield.informed(
            Side(anchors={k: torch.randn(8, *v.shape) for k, v in like.items()})
        )
    assert not with_drift(schedule(shield, 3), shield, like, 3).fixed


def test_a_schedule_that_only_releases_tell_is_attacked_where_it_gives_most_away():
    record = record_of(f"{HERE}:Fades", noise_multiplier=1.0)
    held = record.bounds[f"{HERE}:Fades"]["round"]
    assert (held["step"], held["attacked"]) == (STEPS - 1, [0, 500, STEPS - 1])
    psnr = {k: v["psnr"]["mean"] for k, v in record.summary.items() if k.endswith("/adaptive")}
    assert psnr[f"{HERE}:Fades/adaptive"] > psnr[f"{HERE}:Fades@0/adaptive"] + 5


def test_the_plugin_attacks_a_schedule_that_only_releases_tell(tmp_path):
    gauge = Leakage(tmp_path / "out", tmp_path / "baselines", "test")
    found = gauge.invert(Fades(noise_multiplier=1.0), images=1, moments=2)
    assert found.records[0].bounds[found.subject.name]["round"]["step"] == STEPS - 1
    assert "gives most away and counts" in "\n".join(found.context())


# Which round counts


def test_the_dense_first_epoch_counts_and_not_the_final_rate(cooled):
    steps = {part_column(row["defense"]): row["round"] for row in cooled.rows if "round" in row}
    assert steps == {("dprs", None): 0, ("dprs", 500): 500, ("dprs", 999): 999}
    held = cooled.bounds["dprs"]["round"]
    assert (held["step"], held["steps"], held["attacked"]) == (0, STEPS, [0, 500, 999])
    assert held["options"]["rate"] == 0.0 and cooled.bounds["dprs"]["options"]["rate"] == 0.999
    counted = cooled.summary["dprs/adaptive"]["psnr"]["mean"]
    others = [cooled.summary[f"dprs@{s}/adaptive"]["psnr"]["mean"] for s in (500, 999)]
    assert counted >= max(others) and counted > others[1] + 5
    assert list(cooled.summary)[1:3] == ["dprs/adaptive", "dprs/naive"]
    assert {"dprs/adaptive", "dprs@500/adaptive", "dprs@999/naive"} <= cooled.arrays.keys()


def test_noise_that_fades_is_attacked_where_it_is_least():
    record = record_of(f"{HERE}:Louder", noise_multiplier=3.0)
    held = record.bounds[f"{HERE}:Louder"]
    assert held["round"]["step"] == STEPS - 1
    assert held["round"]["options"]["noise_multiplier"] == pytest.approx(0.001)
    first = record.bounds[f"{HERE}:Louder@0"]["epsilon"]
    assert held["epsilon"] > 10 * first  # the guarantee is of the round that counts


def test_without_a_schedule_the_record_is_what_it_was():
    record = record_of("dprs", rate=0.5, cooling=False)
    assert list(record.summary) == ["none/adaptive", "dprs/adaptive", "dprs/naive"]
    assert len(record.rows) == 6
    assert not any("round" in row for row in record.rows)
    assert "round" not in record.bounds["dprs"]


@pytest.mark.parametrize(
    ("levels", "named", "worst"),
    [
        ((20, 25, 14), (1, 1, 9), 500),
        ((5, 9, 7), (9, 9, 1), 999),
        ((5, 9, 7), (9, 9, 9), 500),
        ((13.3, 9, 7), (9, 9, 1), 999),
    ],
)
def test_the_worst_is_the_closest_else_the_best_named(levels, named, worst):
    """The best guess without the update is at 13 dB."""
    found = schedule(defenses.get("dprs", rate=0.9), 3)
    steps = list(found.fixed)
    whole = outcomes.inversion(against={f"dprs@{s}": v for s, v in zip(steps, levels, strict=True)})
    rows = [row for row in whole.rows if row["defense"] != "dprs"]
    for row in rows:
        row["rank"] = named[steps.index(part_column(row["defense"])[1])]
    record = dataclasses.replace(
        whole,
        rows=rows,
        summary={k: v for k, v in whole.summary.items() if "@" in k},
        bounds={k: v for k, v in whole.bounds.items() if "@" in k},
    )
    assert keep_worst(record, {"dprs": found}).bounds["dprs"]["round"]["step"] == worst


def guessed(seed):
    """A Record of a schedule under which no round is closer than guessing, nor further."""
    found = schedule(defenses.get("dprs", rate=0.9), 3)
    against = {"none": 32.0} | {f"dprs@{step}": 13.0 for step in found.fixed}
    whole = outcomes.inversion(seed=seed, against=against)
    draw = np.random.default_rng(seed)
    guesses = {row["image"]: row["psnr"] for row in whole.baseline["rows"]}
    rows = [row for row in whole.rows if row["defense"] != "dprs"]
    for row in rows:
        if part_column(row["defense"])[1] is not None:
            row |= {"psnr": guesses[row["image"]] + 2 * draw.standard_normal(), "rank": None}
    summary = {k: v for k, v in whole.summary.items() if not k.startswith("dprs/")}
    bounds = {k: v for k, v in whole.bounds.items() if k != "dprs"}
    record = dataclasses.replace(whole, rows=rows, summary=summary, bounds=bounds)
    return keep_worst(record, {"dprs": found})


def test_the_worst_round_is_that_of_all_seeds_and_not_the_mean_of_each_ones_worst():
    leaking = 0
    for start in range(2):
        runs = [Source(guessed(16 * start + i), number=i) for i in range(16)]
        (panel,) = build_panels([inversion.parse(source.record, source) for source in runs])
        own = next(s for s in panel.settings if s.defense == "dprs")
        held = own.guarantee.round
        round_ = next(r for r in own.rounds if r.label == f"step {held.step:,}")
        assert own.gain == round_.gain == max((r.gain for r in own.rounds), key=lambda g: g.mean)
        leaking += own.verdict == "leaks"
    assert leaking == 0  # with each one's worst 2 of 2


# What people see


def test_the_table_shows_each_round_and_the_figure_the_worst(cooled, tmp_path):
    lines = table(cooled).splitlines()
    assert sum(line.startswith("dprs, step 0") for line in lines) == 2
    assert sum(line.startswith("  step 500") for line in lines) == 2
    assert any("step 0 (rate 0) gives most away and counts" in line for line in lines)
    assert not any(line.startswith("dprs@") for line in lines)
    alone = {k: v for k, v in cooled.summary.items() if "@" not in k}
    few = dataclasses.replace(cooled, summary=alone)
    assert to_png(reconstruction_chart(few)) == to_png(reconstruction_chart(cooled))


def test_a_page_counts_the_worst_round_and_lists_the_others(cooled, tmp_path):
    records.write(cooled, tmp_path)
    (found,) = sort_out(gather([tmp_path])).inversions
    assert {name for name, _ in found.columns} == {"none", "dprs"}
    assert len(found.columns) == 3 and len(found.rounds) == 4
    (panel,) = build_panels([found])
    dprs = next(s for s in panel.settings if s.defense == "dprs")
    assert len(panel.settings) == 2 and dprs.label.endswith("worst of 3 rounds")
    assert dprs.estimate("adaptive", "psnr").n == 2
    assert [s.label for s in dprs.rounds] == ["step 0", "step 500", "step 999"]
    assert dprs.rounds[0].gain == dprs.gain
    cells = [row.cells[0].text for row in panel_table(panel).rows]
    assert cells == [
        "none",
        "dprs, worst of 3 rounds",
        *(f"dprs, step {step}" for step in (0, 500, 999)),
    ]


def test_an_older_record_of_the_final_rate_is_another_setting(cooled):
    old = dataclasses.replace(
        cooled,
        rows=[r for r in cooled.rows if "@" not in r["defense"]],
        bounds={n: {k: v for k, v in b.items() if k != "round"} for n, b in cooled.bounds.items()},
        scenario={k: v for k, v in cooled.scenario.items() if k != "moments"},
    )
    found = [
        inversion.parse(record, Source(record, number=turn))
        for turn, record in enumerate((cooled, old), 1)
    ]
    (panel,) = build_panels(found)
    labels = [s.label for s in panel.settings]
    assert len(set(labels)) == 3 and all("timed" in n for n in panel.notes)


@pytest.mark.parametrize(
    "broken", [7, {"step": -1, "steps": 10}, {"step": 0, "steps": 10, "attacked": ["x"]}]
)
def test_a_round_that_no_record_has_is_refused(cooled, broken):
    bounds = {**cooled.bounds, "dprs": {**cooled.bounds["dprs"], "round": broken}}
    record = dataclasses.replace(cooled, bounds=bounds)
    with pytest.raises(ValueError, match="round"):
        inversion.parse(record)
