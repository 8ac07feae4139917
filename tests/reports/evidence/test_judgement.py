from __future__ import annotations

import pytest

from reports import records
from reports.evidence.judgement import WORDS
from reports.evidence.remedies import STEPS, remedy
from reports.panels.setting import ASTRAY
from reports.sentences.sentence import plain
from tests import outcomes


def verdicts(folder) -> list[list[str]]:
    outline = outcomes.outline_of(folder)
    (table,) = (s.table for s in outline.sections if s.anchor == "verdicts")
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_every_setting_training_and_audit_has_one_word_and_its_reason(tmp_path):
    for name, record in {
        "leaks": outcomes.inversion(level=24.0, against={"none": 32.0}),
        "quiet": outcomes.inversion(level=8.0, noise=0.1, against={"none": 32.0}),
        "members": outcomes.membership(gap=3.0),
        "audit": outcomes.audit(),
    }.items():
        records.write(record, tmp_path / name)
    found = {of: (word, because, sample) for word, of, because, sample, _ in verdicts(tmp_path)}
    assert found["dprs rate 0.9, noise 0.01"][0] == "leaks"
    assert "dB closer than by guessing" in found["dprs rate 0.9, noise 0.01"][1]
    assert found["dprs rate 0.9, noise 0.1"] == (
        "unbroken",
        "nothing beyond guessing was shown; epsilon 8 is guaranteed for one update",
        "8 images",
    )
    assert found["epsilon of dpsgd"][0] == "refuted"
    assert found["members of dpsgd"][0] == "refuted"  # epsilon 1 allows fewer
    assert found["members of dpsgd"][2] == "200 members, 200 others"
    assert not any(of.startswith("none") for of in found)


def test_what_is_refuted_or_cannot_be_judged_comes_first(tmp_path):
    records.write(outcomes.audit(), tmp_path / "audit")
    records.write(outcomes.inversion(level=24.0, against={"none": 32.0}), tmp_path / "one")
    idle = outcomes.inversion(level=13.0, against={"none": 13.0}, model="mlp")
    records.write(idle, tmp_path / "idle")
    words = [row[0] for row in verdicts(tmp_path)]
    assert words == sorted(words, key=WORDS.index) and words[0] == "refuted"
    (row,) = (row for row in verdicts(tmp_path) if row[0] == "unjudged")
    assert row[2] == "cannot be judged: the undefended update was not rebuilt either"
    lead = [plain(sentence) for sentence in outcomes.outline_of(tmp_path).lead]
    assert lead[0].startswith("A guarantee is false")
    assert lead[1].startswith("Of 2 defended settings, 1 cannot be judged: dprs")
    assert "(over 8 images each)" in lead[2]


def test_every_doubt_and_verdict_says_what_to_do_next(tmp_path):
    idle = outcomes.inversion(level=13.0, against={"none": 13.0})
    records.write(idle, tmp_path / "idle")
    (step,) = outcomes.outline_of(tmp_path).steps
    assert "--evaluations" in plain(step) and "dprs rate 0.9, noise 0.01" in plain(step)
    assert remedy(ASTRAY) == STEPS[ASTRAY]
    assert remedy("something new") not in STEPS.values()


@pytest.mark.parametrize("gap, word", [(1.0, "leaks"), (0.0, "unbroken")])
def test_members_leak_where_an_attack_is_told_from_chance(tmp_path, gap, word):
    record = outcomes.membership(gap=gap)
    record.bounds["epsilon"] = None
    records.write(record, tmp_path / "members")
    (row,) = verdicts(tmp_path)
    assert row[0] == word
    idle = outcomes.membership(gap=0.0, accuracy=0.11)
    records.write(idle, tmp_path / "members")
    assert verdicts(tmp_path)[0][:3:2] == [
        "unjudged",
        verdicts(tmp_path)[0][2],
    ] and verdicts(tmp_path)[0][2].startswith("cannot be judged: ")
