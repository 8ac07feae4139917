from __future__ import annotations

import pytest

from defenses import BadInput
from victims.bench.layers import main


def test_every_way_of_every_convolution_is_timed(capsys):
    argv = ["--models", "lenet5", "--batch", "2", "--repeats", "1", "--device", "cpu"]
    assert main(argv) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| lenet5")]
    assert len(rows) == 4  # two convolutions, without and with a mask
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert sum("*" in cell for cell in cells) == 1  # the way that is taken
        assert (cells[-1] == "-") == (cells[4] == "yes")  # no Gram matrices under a mask
        assert all(float(cell.strip(" *")) > 0 for cell in cells[5:-1])


def test_what_is_no_batch_is_refused():
    with pytest.raises(BadInput, match="--batch must be at least 1"):
        main(["--batch", "0"])
