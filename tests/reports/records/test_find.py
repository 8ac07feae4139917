from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

from reports import build, records
from reports.charts.lines import lines_along
from reports.estimates import pool
from reports.evidence.control import CANNOT_JUDGE, control
from reports.panels import trained as trainings
from reports.panels.build import build_panels
from reports.panels.labels import CUT
from reports.panels.panel import LEAKS, NAMED, NOT_SHOWN, UNKNOWN, UNSCORED
from reports.panels.trained import match
from reports.pictures.gallery import build_galleries
from reports.pictures.grid import build_grid
from reports.records import inversion, membership
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.sentences.lead import panels_overview
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from reports.tables.exposed import exposed_table
from reports.tables.panels import panel_table
from tests import outcomes


def panels_of(folder):
    found = sort_out(gather([folder]))
    return build_panels(found.inversions)


def test_records_are_found_below_and_each_once(tmp_path):
    for name in ("a/deep/one", "a/two", "a/partial/no", "a/.hidden/no"):
        records.write(outcomes.inversion(rate=0.1 * len(name)), tmp_path / name)
    found = gather([tmp_path, tmp_path / "a" / "two"])
    assert [s.path.name for s in found.sources] == ["one", "two"]
    assert [s.anchor for s in found.sources] == ["record-1", "record-2"]
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert len(gather([tmp_path]).sources) == 2


def test_a_sweep_gives_its_jobs_and_nothing_else(tmp_path):
    outcomes.sweep(tmp_path)
    records.write(outcomes.inversion(), tmp_path / "stray")
    listed = json.loads((tmp_path / "sweep.json").read_text())
    listed["jobs"].append({"key": "abcdefabcd", "command": "python -m later"})
    (tmp_path / "sweep.json").write_text(json.dumps(listed))
    found = gather([tmp_path])
    assert len(found.sources) == 12
    assert [f.error for f in found.failures] == [
        f"no such model {outcomes.HOSTILE}",
        "not run yet, or not finished",
    ]
    assert found.failures[1].command == "python -m later"


@pytest.mark.parametrize("text", ["[", '{"jobs": 3}', '{"jobs": [{"key": "../../etc"}]}', "[[]]"])
def test_an_unreadable_sweep_is_searched_and_said(tmp_path, text):
    records.write(outcomes.inversion(), tmp_path / "one")
    (tmp_path / "sweep.json").write_text(text)
    found = gather([tmp_path])
    assert [s.path.name for s in found.sources] == ["one"]
    assert [p.name for p, _ in found.skipped] == ["sweep.json"]


def test_hostile_json_is_skipped_with_a_reason(tmp_path):
    records.write(outcomes.inversion(), tmp_path / "good")
    texts = {
        "deep": "[" * 100_000,
        "list": "[]",
        "types": json.dumps(dict.fromkeys(outcomes.inversion().document(), 3)),
        "empty": "",
    }
    for name, text in texts.items():
        records.write(outcomes.inversion(), tmp_path / name)
        (tmp_path / name / "result.json").write_text(text)
    found = gather([tmp_path, tmp_path / "nowhere"])
    assert [s.path.name for s in found.sources] == ["good"]
    assert {p.name for p, _ in found.skipped} == {*texts, "nowhere"}
    assert all(reason and "\n" not in reason for _, reason in found.skipped)


def _spoil(record, path, value):
    at = record.document()
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return record


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rows", 0, "psnr"), "24"),
        (("rows", 0, "psnr"), True),
        (("rows", 0, "image"), 0.5),
        (("rows", 0, "image"), 1),
        (("rows", 0, "adaptive"), "yes"),
        (("rows", 0, "defense"), "unlisted"),
        (("rows", 0), None),
        (("scenario", "seed"), None),
        (("scenario", "seed"), 2**70),
        (("scenario", "images"), -1),
        (("scenario", "model"), ["lenet"]),
        (("bounds", "dprs", "epsilon"), -1),
        (("bounds", "dprs", "delta"), 2),
        (("bounds", "dprs", "options", "rate"), "0.9"),
        (("bounds", "dprs"), 7),
        (("baseline", "rows"), {"image": 0}),
        (("baseline", "rows", 0, "psnr"), [1]),
    ],
)
def test_a_wrong_type_costs_its_record_only(tmp_path, path, value):
    records.write(outcomes.inversion(seed=1), tmp_path / "good")
    records.write(_spoil(outcomes.inversion(), path, value), tmp_path / "bad")
    found = sort_out(gather([tmp_path]))
    assert [i.source.path.name for i in found.inversions] == ["good"]
    assert [p.name for p, _ in found.gathered.skipped] == ["bad"]


@pytest.mark.parametrize(
    ("record", "path", "value"),
    [
        (outcomes.training(), ("summary", "accuracy"), 0.8),
        (outcomes.training(), ("summary", "accuracy", "mean"), 80),
        (outcomes.training(), ("bounds", "epsilon"), 3),
        (outcomes.membership(), ("bounds", "epsilon"), "small"),
        (outcomes.membership(), ("summary", "auc"), "high"),
        (outcomes.membership(), ("summary", "strongest"), ["lira"]),
        (outcomes.membership(), ("rows", 3), None),
        (outcomes.membership(), ("rows", 3, "member"), "yes"),
        (outcomes.membership(), ("rows", 3, "member"), 1),
        (outcomes.membership(), ("rows", 0, "example"), 0.5),
        (outcomes.membership(), ("rows", 0, "label"), None),
        (outcomes.membership(), ("rows", 0, "false_alarms"), "none"),
        (outcomes.membership(), ("rows", 0, "false_alarms"), True),
        (outcomes.membership(), ("rows", 0, "false_alarms"), -1),
        (outcomes.membership(), ("rows", 0, "false_alarms"), 201),
        (outcomes.membership(), ("rows", 0, "false_alarms"), 100),
        (outcomes.audit(), ("rows", 0, "audited"), "most"),
        (outcomes.audit(), ("rows", 0), {}),
    ],
)
def test_other_kinds_are_checked_too(tmp_path, record, path, value):
    document = json.loads(json.dumps(record.document()))
    copy = records.Record.of(document, record.arrays)
    records.write(_spoil(copy, path, value), tmp_path / "bad")
    found = sort_out(gather([tmp_path])).gathered
    assert found.sources == []
    assert [p.name for p, _ in found.skipped] == ["bad"]


def test_membership_scores_that_cannot_be_used_are_refused(tmp_path):
    for name, scores in (("nan", torch.full((400,), math.nan)), ("short", torch.zeros(3))):
        record = outcomes.membership()
        record.arrays["scores/lira"] = scores
        records.write(record, tmp_path / name)
    found = sort_out(gather([tmp_path])).gathered
    assert {p.name for p, _ in found.skipped} == {"nan", "short"}


def test_panels_hold_what_differs_in_the_defense_alone(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    assert panel.title == "lenet, untrained, photos, 8 images \N{MULTIPLICATION SIGN} 2 seeds"
    assert [s.label for s in panel.settings][:3] == [
        "none",
        "dprs rate 0, noise 0",
        "dprs rate 0.9, noise 0",
    ]
    assert len(panel.settings) == 1 + len(outcomes.RATES) * len(outcomes.NOISES)


def test_a_setting_in_many_records_counts_once(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    none = panel.settings[0]
    assert len(none.columns["adaptive"].images) == 16
    assert [s.record.scenario["seed"] for s in none.sources] == [0, 1]
    assert [note for note in panel.notes if "Attacks were timed (10.0 s" not in note] == []
    assert len(panel.notes) == 1  # of an older version, whose every attack had a clock


def test_a_repetition_with_other_scores_is_said(tmp_path):
    records.write(outcomes.inversion(level=24.0), tmp_path / "a")
    records.write(outcomes.inversion(level=30.0), tmp_path / "b")
    (panel,) = panels_of(tmp_path)
    assert panel.settings[0].estimate("adaptive", "psnr").mean == pytest.approx(24, abs=0.3)
    assert "1 over 2" in panel.notes[0]


def test_a_field_that_older_records_lack_splits_no_panel(tmp_path):
    records.write(outcomes.inversion(), tmp_path / "old")
    records.write(outcomes.inversion(seed=1, state_sha256=None), tmp_path / "new")
    records.write(outcomes.inversion(seed=1, state_sha256="ab"), tmp_path / "other")
    assert len(panels_of(tmp_path)) == 2


def test_titles_tell_panels_apart(tmp_path):
    for turn, changed in enumerate(
        ({}, {"budget": 5.0}, {"state": "runs/a/w.safetensors"}, {"state": "runs/b/w.safetensors"})
    ):
        records.write(outcomes.inversion(**changed), tmp_path / str(turn))
    titles = [p.title for p in panels_of(tmp_path)]
    assert len(set(titles)) == 4
    assert any("budget 5.0" in t for t in titles)
    assert any("runs/a/w" in t for t in titles)


def test_verdicts_follow_the_paired_difference(tmp_path):
    # The images differ more from each other than the attack gains, so an unpaired one would fail.
    levels = {0.1: 14.0, 0.2: 13.0, 0.3: 8.0}
    for rate, level in levels.items():
        record = outcomes.inversion(
            rate=rate, level=level, spread=6.0, naive=5.0, against={"none": 32.0}
        )
        records.write(record, tmp_path / str(rate))
    (panel,) = panels_of(tmp_path)
    found = {s.option("rate"): s for s in panel.settings}
    assert found[0.1].verdict == LEAKS
    assert found[0.1].estimate("adaptive", "psnr").low < panel.guess("psnr").mean
    assert found[0.1].misleads
    assert found[0.3].verdict == NOT_SHOWN
    assert not found[0.3].misleads


def test_an_update_that_names_its_image_is_not_called_quiet(tmp_path):
    ranks = {0.1: [1] * 8, 0.2: [40, 1, 33, 7, 9, 50, 12, 3], 0.3: [1] * 8}
    for rate, found in ranks.items():
        level = 24.0 if rate == 0.3 else 8.0
        record = outcomes.inversion(rate=rate, level=level, against={"none": 32.0})
        record.bounds["dprs"]["candidates"] = 64
        record.bounds["dprs"]["top1"] = 1.0
        for row in record.rows:
            row["rank"] = found[row["image"]]
        records.write(record, tmp_path / str(rate))
    (panel,) = panels_of(tmp_path)
    verdicts = {s.option("rate"): s.verdict for s in panel.settings if s.defense != "none"}
    assert verdicts == {0.1: NAMED, 0.2: NOT_SHOWN, 0.3: LEAKS}  # one of eight is chance
    told = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert "named at once among 64 candidates" in told
    assert "1 more let them tell which image it was" in plain(panels_overview([panel]))


@pytest.mark.parametrize(
    ("bare", "clocked", "reason"),
    [
        (32.0, False, ""),
        (13.4, False, "the undefended update was not rebuilt either"),
        (None, False, "no positive control"),
        (32.0, True, "the clock cut the attack short"),
    ],
)
def test_an_attack_that_fails_without_a_defense_too_is_no_evidence(tmp_path, bare, clocked, reason):
    against = {} if bare is None else {"none": bare}
    for rate, level in ((0.1, 24.0), (0.3, 8.0)):
        record = outcomes.inversion(rate=rate, level=level, against=against)
        for row in record.rows:
            clock = clocked and row["defense"] == "dprs"
            row.update(rank=7, stopped="time" if clock else "iterations")
        records.write(record, tmp_path / str(rate))
    (panel,) = panels_of(tmp_path)
    loud, quiet = (s for s in panel.settings if s.defense == "dprs")
    assert loud.verdict == LEAKS  # what leaks leaks, whatever else fails
    assert quiet.verdict == (CANNOT_JUDGE if reason else NOT_SHOWN)
    assert reason in quiet.doubt and bool(quiet.doubt) == bool(reason)
    told = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert (reason in told) and ("nothing can be said" in told) == bool(reason)
    assert ("1 cannot be judged" in plain(panels_overview([panel]))) == bool(reason)
    table = panel_table(panel)
    marked = [r.cells[5].text.endswith(CUT) for r in table.rows if r.cells[0].text == "dprs"]
    assert table.heads[5] == "adaptive PSNR (dB)" and marked == [clocked, clocked]
    assert ("cut short by the clock" in table.caption) == clocked


def test_the_control_is_about_most_images_and_no_guess():
    prior = np.full(4, 13.0)
    for psnr, found in (
        ([30.0, 30.0, 13.0, 13.0], "rebuilt"),
        ([30.0, 13.5, 13.0, 13.0], "not rebuilt"),
        ([15.0, 15.5, 14.9, 14.2], "not rebuilt"),  # fog: better than guessing, and no picture
        ([np.nan] * 4, "none"),
        ([np.nan, np.nan, np.nan, 30.0], "rebuilt"),
    ):
        assert control(np.array(psnr), prior) == found
    for against, found in (
        ({"none": 32.0}, "rebuilt"),
        ({"none": 13.2}, "not rebuilt"),
        (None, "none"),
    ):
        (panel,) = build_panels([inversion.parse(outcomes.inversion(against=against))])
        assert {s.control for s in panel.settings} == {found}


def test_too_little_is_called_too_little(tmp_path):
    record = outcomes.inversion(images=7, level=60.0)
    for row in record.rows:
        row["rank"] = None
    records.write(record, tmp_path / "few")
    (panel,) = panels_of(tmp_path)
    assert panel.settings[0].verdict == UNKNOWN
    record = outcomes.inversion(seed=5)
    for row in record.rows:
        row.update(psnr=None, ssim=None, lpips=None, rank=None)
    record.baseline.clear()
    records.write(record, tmp_path / "captured")
    unscored = panels_of(tmp_path / "captured")[0]
    assert unscored.settings[0].verdict == UNSCORED
    assert "nothing can be scored" in " ".join(plain(s) for s in panel_sentences(unscored, []))


def test_two_levels_are_wider_than_one_when_seeds_differ():
    draw = np.random.default_rng(3)
    seeds = np.repeat(np.arange(4), 50)
    values = draw.standard_normal(200) + 3 * draw.standard_normal(4)[seeds]
    pooled, flat = pool(values, seeds), pool(values, np.zeros(200, dtype=int))
    assert pooled.mean == pytest.approx(flat.mean)
    assert pooled.high - pooled.low > 3 * (flat.high - flat.low)


def test_pooling_leaves_out_what_is_missing():
    found = pool([1.0, math.nan, 3.0], [0, 0, 1])
    assert (found.mean, found.n) == (2.0, 2)
    assert not pool([math.nan], [0]).known
    alone = pool([2.0], [0])
    assert alone.known and not alone.spread


def test_training_runs_join_settings_that_they_name(tmp_path):
    outcomes.everything(tmp_path)
    found = sort_out(gather([tmp_path]))
    panel = next(p for p in build_panels(found.inversions) if p.facts["model"] == "lenet")
    trained = trainings.pool_runs(found.trainings)
    pairs = {s.label: t for s, t in match(panel, trained)}
    assert set(pairs) == {"none", "dprs rate 0.9, noise 0.01", "dprs rate 0.9, noise 0.1"}
    both = pairs["dprs rate 0.9, noise 0.01"]
    assert len(both.runs) == 2
    assert both.accuracy.mean == pytest.approx(0.81)
    assert both.accuracy.low < 0.80  # more than either run's own interval: seeds differ
    told = " ".join(plain(s) for s in panel_sentences(panel, trained))
    assert "81.0%" in told and "90.0%" in told


def test_a_run_that_fits_several_settings_joins_none(tmp_path):
    outcomes.sweep(tmp_path / "sweep")
    records.write(outcomes.training(noise_multiplier=0.01, clip=1.0), tmp_path / "train")
    found = sort_out(gather([tmp_path]))
    (panel,) = build_panels(found.inversions)
    assert match(panel, trainings.pool_runs(found.trainings)) == []


def test_lines_differ_in_one_option_alone(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    lines, left = lines_along(panel.settings, "rate")
    assert left == 0
    assert [line.label for line in lines] == ["noise 0", "noise 0.01", "noise 0.1"]
    assert [[s.option("rate") for s in line.settings] for line in lines] == [[0.0, 0.9]] * 3
    assert lines_along(panel.settings[:1], "rate") == ([], 0)


def test_the_grid_has_a_cross_and_says_what_is_left_out(tmp_path):
    outcomes.sweep(tmp_path)
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and grid.cross is not None
    assert (grid.cross.rates, grid.cross.noises) == (outcomes.RATES, outcomes.NOISES)
    place = grid.cross.strips[1, 1]
    assert grid.strips[place].label == "dprs rate 0.9, noise 0.01"
    assert (
        grid.strips[place]
        .cells[2][0]
        .alt.startswith("image 2, dprs rate 0.9, noise 0.01, adaptive attack: ")
    )
    assert "seed 0" in grid.note


def test_a_large_cross_stays_a_cross(tmp_path):
    for rate in np.linspace(0, 0.99, 7):
        for noise in (0, 0.001, 0.003, 0.01, 0.03, 0.1, 1):
            record = outcomes.inversion(rate=float(rate), noise=noise, images=2)
            records.write(record, tmp_path / f"{rate:.2f}-{noise}")
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and grid.cross is not None
    assert len(grid.cross.strips) == len(grid.cross.rates) * len(grid.cross.noises) == 25
    assert (grid.cross.rates[0], grid.cross.rates[-1]) == (0, 0.99)
    assert "24 settings are not drawn" in grid.note


def test_images_that_cannot_be_drawn_do_no_harm(tmp_path):
    record = outcomes.inversion()
    record.arrays["dprs/adaptive"] = torch.full((4, 3, 16, 16), math.nan)
    record.arrays["dprs/naive"] = torch.rand(4, 5, 0, 16)
    record.arrays["truth"] = torch.zeros(3)
    record.arrays["prior"] = torch.rand(4, 1, 200, 100)
    records.write(record, tmp_path)
    (panel,) = panels_of(tmp_path)
    grid = build_grid(panel)
    assert grid is not None and not grid.both
    assert [s.label for s in grid.strips] == [
        "best guess without the update",
        "dprs rate 0.9, noise 0.01",
    ]


def test_the_membership_bound_is_the_one_of_the_definition(tmp_path):
    records.write(outcomes.membership(), tmp_path)
    (one,) = sort_out(gather([tmp_path])).memberships
    false = np.array([0.0, 0.01, 0.5, 1.0])
    bound = one.bound(false)
    assert bound[0] == pytest.approx(1e-5)
    assert bound[1] == pytest.approx(math.e * 0.01 + 1e-5)
    assert bound[2] == pytest.approx(1 - math.exp(-1) * (0.5 - 1e-5))
    assert bound[3] == 1
    assert not one.tpr("lira", 0.001).known  # 200 non-members cannot resolve it
    assert one.tpr("lira", 0.1).mean > 0.2
    assert 0.4 < one.auc("blind").mean < 0.6


def galleries_of(folder):
    return build_galleries(sort_out(gather([folder])).memberships)


def test_the_most_exposed_members_come_with_whom_else_they_accuse(tmp_path):
    record = outcomes.membership()
    records.write(record, tmp_path)
    (gallery,) = galleries_of(tmp_path)
    mine = [row for row in record.rows if row["member"]][:10]
    table = exposed_table(gallery.anchor, gallery.source, gallery.members)
    assert len(gallery.tiles) == len(table.rows) == 10
    for turn, (tile, row) in enumerate(zip(gallery.tiles, mine, strict=True), 1):
        first, example, alarms, rate = tile.caption.split("\n")
        assert first.startswith(f"#{turn} ") and example == f"example {row['example']}"
        assert alarms == f"{row['false_alarms']} of 200 others"
        edges = binomtest(row["false_alarms"], 200).proportion_ci(0.95, "exact")
        share = row["false_alarms"] / 200
        assert rate == f"{share:.1%} [{100 * edges.low:.1f}, {100 * edges.high:.1f}]"
        drawn = np.asarray(Image.open(io.BytesIO(tile.data)))
        expected = record.arrays["exposed"][turn - 1, 0].mul(255).round().byte().numpy()
        assert np.array_equal(drawn, expected)
    assert "attack lira. Below each" in gallery.note
    assert len(gallery.tiles[0].caption.split("\n")[0]) < 50  # its label is long


def test_several_records_show_fewer_members_each(tmp_path):
    for name in ("a", "b"):
        records.write(outcomes.membership(pictures=12), tmp_path / name)
    first, second = galleries_of(tmp_path)
    assert len(first.tiles) == len(second.tiles) == 8
    assert first.anchor != second.anchor
    assert "Below each" in first.note and "Below each" not in second.note
    records.write(outcomes.membership(pictures=12), tmp_path / "c" / "alone")
    (alone,) = galleries_of(tmp_path / "c")
    assert len(alone.tiles) == 12


@pytest.mark.parametrize(
    ("pictures", "shown", "drawn"),
    [
        (None, 8, 0),
        (torch.zeros(3), 8, 0),
        (torch.zeros(4, 5, 8, 8), 4, 4),
        (torch.zeros(4, 1, 0, 8), 8, 0),
        (torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 8, 0),
        (torch.full((4, 3, 8, 8), math.nan), 4, 4),
        (torch.full((4, 3, 8, 8), math.inf), 4, 4),
        (torch.rand(300, 1, 100, 2), 16, 16),
    ],
)
def test_exposed_members_whose_pictures_cannot_be_drawn_are_listed(
    tmp_path, pictures, shown, drawn
):
    record = outcomes.membership()
    del record.arrays["exposed"]
    if pictures is not None:
        record.arrays["exposed"] = pictures
    records.write(record, tmp_path)
    (gallery,) = galleries_of(tmp_path)
    assert len(gallery.tiles) == shown
    assert sum(bool(t.data) for t in gallery.tiles) == drawn


def test_a_record_without_rows_or_without_members_exposes_nobody(tmp_path):
    for name, kept in (("none", []), ("others", [False]), ("members", [True])):
        record = outcomes.membership()
        record.rows[:] = [r for r in record.rows if r["member"] in kept]
        for row in record.rows:
            row["false_alarms"] = 0
        records.write(record, tmp_path / name)
        assert galleries_of(tmp_path / name) == ()


def test_old_records_are_read(tmp_path):
    record = outcomes.inversion()
    for row in record.rows:
        del row["rank"], row["fisher_psnr"]
    del record.bounds["dprs"]["candidates"], record.bounds["dprs"]["top1"]
    del record.environment["command"]
    records.write(record, tmp_path)
    (source,) = gather([tmp_path]).sources
    found = inversion.parse(source.record, source)
    assert found.guarantees["dprs"].candidates == 1000
    assert np.isnan(found.columns["dprs", "adaptive"].values["rank"]).all()
    assert source.command is None


def test_nothing_to_report_writes_nothing(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folders in (["empty"], ["nowhere"]):
        argv = [str(tmp_path / f) for f in folders] + ["--out", str(tmp_path / "out")]
        with pytest.raises(build.BadInput, match="no Records"):
            build.main(argv)
    with pytest.raises(build.BadInput, match="two folders"):
        build.main([str(tmp_path), "--compare", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        build.main(["--compare"])
    assert stop.value.code == 2
    assert not (tmp_path / "out").exists()


def test_kinds_are_told_apart(tmp_path):
    outcomes.everything(tmp_path)
    found = sort_out(gather([tmp_path]))
    assert len(found.inversions) == 13
    assert len(found.trainings) == 4
    (record,) = found.memberships
    assert isinstance(record, membership.MembershipRecord)
    assert [a.broken for audit in found.audits for a in audit.rows] == [False, False, True, False]
    assert {p.name for p, _ in found.gathered.skipped} == {"wrong", "broken"}
