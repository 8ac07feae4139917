from __future__ import annotations

import numpy as np

from reports import records
from reports.records import inversion
from reports.records.find import gather
from tests import outcomes


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
