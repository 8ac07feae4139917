from __future__ import annotations

from reports import records
from reports.records.membership import parse
from reports.sentences.lead import members_found
from reports.sentences.sentence import plain
from tests import outcomes
from tests.outcomes import outline_of, scored


def test_an_audit_that_could_not_refute_its_claim_is_said_to_judge_nothing(tmp_path):
    audit = outcomes.audit()
    del audit.rows[2]  # which refutes its claim
    for row in audit.rows:
        row |= {"reach": 0.9, "verdict": "cannot be judged", "doubt": "even perfect scores ..."}
    for name in ("one", "two"):  # a scoreboard takes two
        records.write(audit, tmp_path / name)
        audit.scenario["seed"] = 1
    found = outline_of(tmp_path)
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


def test_an_audit_that_refutes_its_claim_opens_the_page(tmp_path):
    records.write(outcomes.audit(), tmp_path / "audit")
    records.write(outcomes.inversion(level=8.0, against={"none": 32.0}), tmp_path / "one")
    said = plain(outline_of(tmp_path).lead[0])
    assert "proves epsilon to be at least 3.1 with a confidence of 95%, where 2 is claimed" in said


def test_the_best_of_many_attacks_is_told_from_chance_or_said_not_to_be():
    blind = scored(gap=0.0, attacks=6)
    said = plain(members_found([blind]))
    assert "so it is not told from chance" in said and "[" in said
    assert "the best of 7 results" in said
    sure = plain(members_found([scored(gap=4.0)]))
    assert "chance" not in sure and "10.0% of the others" in sure
    one = parse(outcomes.membership(examples=30, gap=4.0))
    assert "too few to tell it from chance" in plain(members_found([one]))


def test_members_of_a_target_that_did_not_learn_are_not_told_to_be_safe(tmp_path):
    idle = outcomes.membership(gap=0.0, accuracy=0.11)
    records.write(idle, tmp_path / "idle")
    records.write(outcomes.inversion(against={"none": 32.0}), tmp_path / "one")
    found = outline_of(tmp_path)
    assert "What is not found is no evidence: it cannot be judged" in plain(found.lead[-1])
    (section,) = (s for s in found.sections if s.anchor == "memberships")
    assert "cannot be judged whether members are safe: the target did not learn" in section.notes[0]
    board = next(s for s in found.sections if s.anchor == "scoreboard").table
    assert "members: cannot be judged" in [c.text for row in board.rows for c in row.cells]
    assert not scored().doubt
