from __future__ import annotations

import pytest

from reports import records
from reports.panels import trained
from reports.panels import trained as trainings
from reports.panels.build import build_panels
from reports.panels.trained import match
from reports.records import training
from reports.records.find import gather
from reports.records.kinds import sort_out
from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import plain
from tests import outcomes


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


def test_accuracy_over_two_seeds_is_not_told_as_if_they_were_many():
    runs = []
    for seed, accuracy in ((0, 0.80), (1, 0.82)):
        record = outcomes.training(accuracy, seed=seed)
        runs.append(training.parse(record))
    (pooled,) = trained.pool_runs(runs)
    # Student's quantile of one degree of freedom, 12.7, times the error of the mean, 0.01.
    assert pooled.accuracy.high - pooled.accuracy.mean == pytest.approx(0.127, abs=0.002)
