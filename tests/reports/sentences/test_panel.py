"""What the summaries say first, and what they do not say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from reports import detection, records
from reports.estimates.intervals import simultaneous_level
from reports.evidence.control import CANNOT_JUDGE
from reports.evidence.refuted import above_bound, refutations
from reports.page.outline import build_outline
from reports.panels import trained
from reports.panels.build import build_panels
from reports.panels.panel import FALSE, NAMED, NOT_SHOWN
from reports.records import training
from reports.records.find import Source, gather
from reports.records.kinds import sort_out
from reports.records.membership import parse
from reports.sentences.lead import false_guarantees, members_found
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from reports.tables.table import Cell, Row, Table, literal, markdown
from tests import outcomes


def contents_of(folder):
    gathered = gather([folder])
    return build_outline(sort_out(gathered), "title")


def named(folder, top1, hits, images=12, rates=(0.9,)):
    """Records whose images cannot be rebuilt and of which ``hits`` are named among 64."""
    for rate in rates:
        record = outcomes.inversion(rate=rate, level=8.0, images=images, against={"none": 32.0})
        record.bounds["dprs"] |= {"candidates": 64, "top1": top1, "epsilon": 1.0}
        for row in record.rows:
            row["rank"] = 1 if row["image"] < hits else 9
        records.write(record, folder / f"named-{rate}")


def test_more_images_named_than_is_allowed_make_the_guarantee_false(tmp_path):
    named(tmp_path, top1=0.0491, hits=12)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    assert own.verdict == FALSE
    said = plain(panel_sentences(panel, [])[0])
    assert said.startswith("The guarantee is false") and "at most 4.91% is allowed" in said
    found = contents_of(tmp_path)
    assert plain(found.lead[0]).startswith("A guarantee is false")
    board = next(s for s in found.sections if s.anchor == "scoreboard").table
    assert any(FALSE in [c.text for c in row.cells] for row in board.rows)


def test_a_refuted_guarantee_is_not_told_as_the_strongest(tmp_path):
    named(tmp_path, top1=0.0491, hits=12)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    said = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert "strongest guarantee" not in said
    assert "No setting has a guarantee that the measurements leave standing" in said


def test_accuracy_over_two_seeds_is_not_told_as_if_they_were_many():
    runs = []
    for seed, accuracy in ((0, 0.80), (1, 0.82)):
        record = outcomes.training(accuracy, seed=seed)
        runs.append(training.parse(record))
    (pooled,) = trained.pool_runs(runs)
    # Student's quantile of one degree of freedom, 12.7, times the error of the mean, 0.01.
    assert pooled.accuracy.high - pooled.accuracy.mean == pytest.approx(0.127, abs=0.002)


@pytest.mark.parametrize(("hits", "verdict"), [(2, NOT_SHOWN), (7, NAMED)])
def test_a_bound_that_is_not_passed_for_sure_stands(tmp_path, hits, verdict):
    named(tmp_path, top1=0.4, hits=hits)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    # Two of twelve: p = 0.015 taken alone, and there are two settings.
    assert own.verdict == verdict
    assert not refutations([panel], [], [])


def test_an_audit_that_could_not_refute_its_claim_is_said_to_judge_nothing(tmp_path):
    audit = outcomes.audit()
    del audit.rows[2]  # which refutes its claim
    for row in audit.rows:
        row |= {"reach": 0.9, "verdict": "cannot be judged", "doubt": "even perfect scores ..."}
    for name in ("one", "two"):  # a scoreboard takes two
        records.write(audit, tmp_path / name)
        audit.scenario["seed"] = 1
    found = contents_of(tmp_path)
    (told,) = [text for text in map(plain, found.lead) if "cannot be judged" in text]
    assert told.startswith("Of 2 audits, 2 cannot be judged: ")
    assert "even perfect scores ..., where 1 is claimed (dpsgd)" in told
    tables = {s.anchor: s.table for s in found.sections if s.table}
    audits = tables["audits"]
    cells = [row.cells[audits.heads.index("verdict")].text for row in audits.rows]
    assert set(cells) == {"cannot be judged: even perfect scores ..."}
    remarks = [row.cells[1] for row in tables["scoreboard"].rows]
    assert {cell.text for cell in remarks} == {
        "cannot be judged: the audit could not have refuted the claim"
    }
    assert not any(cell.tone for cell in remarks)


@pytest.mark.parametrize(
    ("accuracy", "said"), [(0.9, "learned"), (0.1, "cannot be judged: the target did not learn")]
)
def test_the_membership_table_says_whether_the_target_learned(tmp_path, accuracy, said):
    records.write(outcomes.membership(accuracy=accuracy), tmp_path / "members")
    (section,) = [s for s in contents_of(tmp_path).sections if s.anchor == "memberships"]
    (target,) = {r.cells[section.table.heads.index("target")].text for r in section.table.rows}
    assert target.startswith(said)


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


def test_an_audit_that_refutes_its_claim_opens_the_page(tmp_path):
    records.write(outcomes.audit(), tmp_path / "audit")
    records.write(outcomes.inversion(level=8.0, against={"none": 32.0}), tmp_path / "one")
    said = plain(contents_of(tmp_path).lead[0])
    assert "an audit proves epsilon to be at least 3.1, where 2 is claimed" in said


def membership(gap=1.0, epsilon=1.0, number=1, attacks=1):
    record = outcomes.membership(gap=gap)
    record.bounds["epsilon"] = epsilon
    draw = np.random.default_rng(5)
    for turn in range(attacks - 1):
        blind = draw.standard_normal(len(record.arrays["members"]))
        record.arrays[f"scores/blind-{turn}"] = torch.from_numpy(blind)
    return parse(record, Source(record, number=number))


def test_members_found_above_the_bound_make_the_guarantee_false():
    found = above_bound([membership(gap=4.0)])
    assert found and all(name == "lira" for _, name in found)
    said = plain(false_guarantees(refutations([], [membership(gap=4.0)], []), 0))
    assert "lira finds" in said and "where epsilon 1 allows" in said
    # An AUC above its bound where there are too few others to tell who is caught.
    few = parse(outcomes.membership(examples=40, gap=3.0))
    (said,) = above_bound([few]).values()
    assert "with an AUC of" in said and f"allows {detection.dp_area(1.0, 1e-5):.3f}" in said
    assert not above_bound([membership(gap=0.5)])
    assert not above_bound([membership(gap=4.0, epsilon=None)])
    assert not above_bound([membership(gap=4.0, epsilon=50.0)])


def test_the_best_of_many_attacks_is_told_from_chance_or_said_not_to_be():
    blind = membership(gap=0.0, attacks=6)
    said = plain(members_found([blind]))
    assert "so it is not told from chance" in said and "[" in said
    assert "the best of 7 results" in said
    sure = plain(members_found([membership(gap=4.0)]))
    assert "chance" not in sure and "10.0% of the others" in sure
    one = parse(outcomes.membership(examples=30, gap=4.0))
    assert "too few to tell it from chance" in plain(members_found([one]))


def test_members_of_a_target_that_did_not_learn_are_not_told_to_be_safe(tmp_path):
    idle = outcomes.membership(gap=0.0, accuracy=0.11)
    records.write(idle, tmp_path / "idle")
    records.write(outcomes.inversion(against={"none": 32.0}), tmp_path / "one")
    found = contents_of(tmp_path)
    assert "What is not found is no evidence: it cannot be judged" in plain(found.lead[-1])
    (section,) = (s for s in found.sections if s.anchor == "memberships")
    assert "cannot be judged whether members are safe: the target did not learn" in section.notes[0]
    board = next(s for s in found.sections if s.anchor == "scoreboard").table
    assert "members: cannot be judged" in [c.text for row in board.rows for c in row.cells]
    assert not membership().doubt


def test_a_replay_that_misleads_is_no_evidence(tmp_path):
    """As of a user's defense that scales the gradient and does not say so in `replay`."""
    record = outcomes.inversion(level=10.0, naive=10.0, against={"none": 32.0})
    for row in record.rows:
        row["rank"] = 9 if row["adaptive"] and row["defense"] == "dprs" else 1
    records.write(record, tmp_path)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    assert own.verdict == "cannot be judged" and "replay does not explain" in own.doubt
    said = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert "the naive attacker finds more" in said and "Nothing beyond guessing" not in said
    from attacks.invert.show import control_lines

    assert any("dprs: cannot be judged: the naive attacker" in x for x in control_lines(record))


def test_an_attack_without_a_control_is_marked_on_the_scoreboard(tmp_path):
    record = outcomes.inversion(level=13.0, spread=0.1, against={"none": 13.0})
    records.write(record, tmp_path / "one")
    board = next(s for s in contents_of(tmp_path).sections if s.anchor == "scoreboard").table
    assert "cannot be judged" in [c.text for row in board.rows for c in row.cells]


def test_an_interval_for_the_best_of_many_is_wider():
    one = membership(gap=2.0)
    alone, many = (one.tpr("lira", 0.1, simultaneous_level(k)) for k in (1, 10))
    assert many.low < alone.low < alone.mean == many.mean < alone.high < many.high
    assert not one.tpr("lira", 0.0001).known


HOSTILE = [
    outcomes.HOSTILE,
    "[click](javascript:alert(1))",
    "![x](https://example.org/beacon.png)",
    "a | b | c",
    "two\n\n# lines",
    "`code` *bold* _it_ ~~gone~~ $x$",
    "https://example.org and www.example.org",
    "\\[a\\](b)",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_nothing_but_itself_in_markdown(name):
    text = literal(name)
    assert "\n" not in text and "<" not in text and ">" not in text
    for mark in "[]()`*_|!#~$":
        at = [i for i, c in enumerate(text) if c == mark]
        # An odd number of backslashes before it: the mark itself is escaped.
        for i in at:
            before = len(text[:i]) - len(text[:i].rstrip("\\"))
            assert before % 2 == 1, text
    assert "http:" not in text and "https:" not in text and "www." not in text
    row = Row("row", (Cell(name), Cell(name)))
    lines = markdown(Table("key", name, (name, "b"), (row,), (0, 1))).splitlines()
    assert len(lines) == 5
    unescaped = [line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines[2:]]
    assert unescaped == [3, 3, 3]
