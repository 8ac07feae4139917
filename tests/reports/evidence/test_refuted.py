from __future__ import annotations

import pytest

from reports import detection
from reports.evidence.refuted import above_bound, refutations
from reports.panels.build import build_panels
from reports.panels.setting import FALSE, NAMED, NOT_SHOWN
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.records.membership import parse
from reports.sentences.lead import false_guarantees
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from tests import outcomes
from tests.outcomes import images_named, outline_of, scored


def test_more_images_named_than_is_allowed_make_the_guarantee_false(tmp_path):
    images_named(tmp_path, top1=0.0491, hits=12)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    assert own.verdict == FALSE
    said = plain(panel_sentences(panel, [])[0])
    assert said.startswith("The guarantee is false") and "at most 4.91% is allowed" in said
    found = outline_of(tmp_path)
    assert plain(found.lead[0]).startswith("A guarantee is false")
    board = next(s for s in found.sections if s.anchor == "scoreboard").table
    assert any(FALSE in [c.text for c in row.cells] for row in board.rows)


@pytest.mark.parametrize(("hits", "verdict"), [(2, NOT_SHOWN), (7, NAMED)])
def test_a_bound_that_is_not_passed_for_sure_stands(tmp_path, hits, verdict):
    images_named(tmp_path, top1=0.4, hits=hits)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    own = next(s for s in panel.settings if s.defense == "dprs")
    # Two of twelve: p = 0.015 taken alone, and there are two settings.
    assert own.verdict == verdict
    assert not refutations([panel], [], [])


def test_members_found_above_the_bound_make_the_guarantee_false():
    found = above_bound([scored(gap=4.0)])
    assert found and all(name == "lira" for _, name in found)
    said = plain(false_guarantees(refutations([], [scored(gap=4.0)], []), 0))
    assert "lira finds" in said and "where epsilon 1 allows" in said
    # An AUC above its bound where there are too few others to tell who is caught.
    few = parse(outcomes.membership(examples=40, gap=3.0))
    (said,) = above_bound([few]).values()
    assert "with an AUC of" in said and f"allows {detection.dp_area(1.0, 1e-5):.3f}" in said
    assert not above_bound([scored(gap=0.5)])
    assert not above_bound([scored(gap=4.0, epsilon=None)])
    assert not above_bound([scored(gap=4.0, epsilon=50.0)])
