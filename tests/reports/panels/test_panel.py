from __future__ import annotations

import pytest

from reports import records
from reports.evidence.control import CANNOT_JUDGE
from reports.panels.labels import CUT
from reports.panels.panel import LEAKS, NAMED, NOT_SHOWN, UNKNOWN, UNSCORED
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
