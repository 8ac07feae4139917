from __future__ import annotations

from reports import records
from reports.charts.chart import PAPER, drawing
from reports.charts.scores_by_batch import batch_charts
from reports.page.outline import build_outline
from reports.panels.batches import batches_of
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.tables.batches import batch_table
from reports.tables.table import markdown
from tests import outcomes
from tests.outcomes import panels_of


def study(folder, sizes=(1, 2, 4)):
    for size in sizes:
        level = 30.0 - 2 * size
        record = outcomes.inversion(level=level, batch=size, naive=None, against={"none": 40.0})
        records.write(record, folder / f"batch-{size}")


def test_settings_that_differ_in_the_batch_alone_make_one_line(tmp_path):
    study(tmp_path)
    found = batches_of(panels_of(tmp_path))
    assert [len(line.sizes) for line in found] == [3, 3]
    defended = next(line for line in found if line.sizes[0].setting.defended)
    middles = [batch.spread[1] for batch in defended.sizes]
    assert [batch.size for batch in defended.sizes] == [1, 2, 4]
    assert middles == sorted(middles, reverse=True)
    for batch in defended.sizes:
        worst, middle, best = batch.spread
        assert worst < middle < best
    assert defended.sizes[0].named.mean == 1.0
    assert batches_of(panels_of(tmp_path / "batch-1")) == []


def test_the_page_says_what_a_batch_hides(tmp_path):
    study(tmp_path)
    outline = build_outline(sort_out(gather([tmp_path])), "x")
    (section,) = [s for s in outline.sections if s.title == "What a batch hides"]
    (chart,) = section.charts
    assert "dB at 4" in chart.alt
    with drawing(PAPER):
        figure = chart.draw(PAPER)
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4"]
    assert len(section.table.rows) == 6
    alone = build_outline(sort_out(gather([tmp_path / "batch-2"])), "x")
    assert "What a batch hides" not in [s.title for s in alone.sections]


def test_the_table_has_worst_median_and_best(tmp_path):
    study(tmp_path, (1, 2))
    found = batches_of(panels_of(tmp_path))
    assert next(iter(batch_charts(found))).key == "batches-1-psnr"
    text = markdown(batch_table(found))
    assert "labels named" in text
    assert text.count("lenet, photos") == 4
