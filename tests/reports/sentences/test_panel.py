"""What the summaries say first, and what they do not say."""

from __future__ import annotations

from reports.panels.build import build_panels
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from tests.outcomes import images_named


def test_a_refuted_guarantee_is_not_told_as_the_strongest(tmp_path):
    images_named(tmp_path, top1=0.0491, hits=12)
    (panel,) = build_panels(sort_out(gather([tmp_path])).inversions)
    said = " ".join(plain(s) for s in panel_sentences(panel, []))
    assert "strongest guarantee" not in said
    assert "No setting has a guarantee that the measurements leave standing" in said
