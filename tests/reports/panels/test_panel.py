from __future__ import annotations

import dataclasses

import pytest

from reports import records
from reports.evidence.control import CANNOT_JUDGE
from reports.panels.build import build_panels
from reports.panels.labels import CUT
from reports.panels.setting import LEAKS, NAMED, NAMED_FEW, NOT_SHOWN, UNKNOWN, UNSCORED
from reports.records import inversion
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.sentences.lead import panels_overview
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from reports.tables.panels import panel_table
from tests import outcomes
from tests.outcomes import panels_of


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


def test_what_few_images_cannot_say_is_not_said(tmp_path):
    record = outcomes.inversion(rate=0.1, level=60.0, images=2, against={"none": 60.0})
    record.bounds["dprs"] |= {"candidates": 64, "top1": 1.0}
    for row in record.rows:
        row["rank"] = 1
    records.write(record, tmp_path)
    (panel,) = panels_of(tmp_path)
    assert {s.verdict for s in panel.settings if s.defended} == {NAMED_FEW}
    told = " ".join(plain(s) for s in [*panel_sentences(panel, []), panels_overview([panel])])
    assert "Rebuilding not shown" not in told and "No defended setting" not in told
    assert "Named at once among 64" in told
    assert told.count("ewer than 8 images cannot say") == 2


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


def test_a_setting_that_only_the_naive_attacker_met_cannot_be_judged(tmp_path):
    quiet = outcomes.inversion(level=8.0, images=12, against={"none": 32.0})
    for row in quiet.rows:
        row["rank"] = None
    naive = dataclasses.replace(
        quiet, rows=[r for r in quiet.rows if r["defense"] == "none" or not r["adaptive"]]
    )
    for record, verdict in ((quiet, NOT_SHOWN), (naive, CANNOT_JUDGE)):
        records.write(record, tmp_path / verdict)
        (panel,) = build_panels(sort_out(gather([tmp_path / verdict])).inversions)
        (setting,) = [s for s in panel.settings if s.defense == "dprs"]
        assert setting.verdict == verdict
    assert setting.doubt == "only the naive attacker was run"
    (said,) = [plain(s) for s in panel_sentences(panel, []) if "nothing can be said" in plain(s)]
    assert "only the naive attacker was run" in said


@pytest.mark.parametrize(("adaptive", "naive"), [(16.0, 24.0), (10.0, 24.0)])
def test_the_verdict_is_about_the_stronger_attack_and_says_which(tmp_path, adaptive, naive):
    record = outcomes.inversion(level=adaptive, naive=naive, against={"none": 32.0})
    records.write(record, tmp_path)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    assert own.verdict == LEAKS
    told = f"naive above adaptive (PSNR {own.estimate('naive', 'psnr').mean:.1f} dB against "
    assert own.outdone.startswith(told + f"{own.estimate('adaptive', 'psnr').mean:.1f} dB")
    said = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert told in said
    assert f"({own.scores['naive'].gain.mean:+.1f} dB over guessing)" in said
    row = next(r for r in panel_table(panel).rows if r.anchor == own.anchor)
    assert "leaks; naive above adaptive" in [cell.text for cell in row.cells]
    from attacks.invert.show import control_lines

    assert any(line.startswith(f"dprs: {told}") for line in control_lines(panel))


def test_an_adaptive_attack_that_is_the_stronger_is_not_remarked(tmp_path):
    records.write(outcomes.inversion(level=24.0, naive=9.0, against={"none": 32.0}), tmp_path)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    assert not any(s.outdone for s in panel.settings)
    assert "naive above" not in " ".join(plain(s) for s in panel_sentences(panel, []))


def test_a_replay_that_misleads_is_no_evidence(tmp_path):
    """As of a user's defense that scales the gradient and does not say so in `replay`."""
    record = outcomes.inversion(level=10.0, naive=10.0, against={"none": 32.0})
    for row in record.rows:
        row["rank"] = 9 if row["adaptive"] and row["defense"] == "dprs" else 1
    records.write(record, tmp_path)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    assert own.verdict == NAMED and "replay does not explain" in own.doubt
    said = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert "100% named against 0% named" in said and "Nothing beyond guessing" not in said
    from attacks.invert.show import control_lines

    assert any("dprs: naive above adaptive" in line for line in control_lines(panel))


def panel_alone(record):
    (panel,) = build_panels([inversion.parse(record)])
    return panel


def test_the_terminal_ends_with_the_page_s_verdict_on_what_was_asked():
    from attacks.invert.show import control_lines, verdict_lines

    lost = outcomes.inversion(level=9.0, naive=8.0, against={"none": 9.0, "dpsgd": 9.0})
    (said,) = verdict_lines(panel_alone(lost))
    assert said.startswith("unjudged: dprs") and "was not rebuilt either" in said
    first, *others = control_lines(panel_alone(lost))
    assert first.endswith("was not rebuilt: where an attack finds nothing, nothing can be judged")
    assert [line.split(":")[0] for line in others] == ["dpsgd"]
    (said,) = verdict_lines(
        panel_alone(outcomes.inversion(level=30.0, against={"none": 50.0, "dpsgd": 30.0}))
    )
    assert said.startswith("leaks: dprs")
