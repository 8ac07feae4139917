"""The tables of what a sweep's attacks reached."""

from __future__ import annotations

import pytest

import attacks
from attacks.invert import reach
from attacks.invert.scenario import Scenario
from defenses import BadInput
from reports import records


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach")
    plain = {"noise_multiplier": 0.0, "cooling": False}
    for defense, options, batch in (
        ("dprs", {"rate": 0.0, **plain}, 1),
        ("dprs", {"rate": 0.5, **plain}, 1),
        ("dpsgd", {"noise_multiplier": 0.5}, 1),
        ("none", {}, 2),
    ):
        scenario = Scenario(
            data="digits",
            images=2,
            batch=batch,
            model="mlp",
            attack="peel",
            defense=defense,
            defense_options=options,
            against=(),
            columns="adaptive",
        )
        records.write(attacks.run(scenario), folder / scenario.key())
    return folder


def test_rates_stand_side_by_side_and_every_other_setting_in_a_row(study, capsys):
    assert reach.main([str(study)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("digits, split test, seed 0, labels unknown; ")
    masks = next(line for line in said if line.startswith("| mlp | peel | ") and "in" in line)
    whole, half = masks.strip("| ").split(" | ")[3:]
    found = [s.record for s in records.find.gather([study]).sources]
    by_rate = {r.scenario["defense_options"].get("rate"): r for r in found}
    for shown, rate in ((whole, 0.0), (half, 0.5)):
        values = [row["psnr"] for row in by_rate[rate].rows]
        middle, low, high = sum(values) / 2, min(values), max(values)
        assert shown.startswith(f"{middle:.1f} ({low:.1f}-{high:.1f}) in ")
    others = [line.strip("| ").split(" | ") for line in said[said.index(masks) + 4 :] if line]
    releases = [["1", "dpsgd, noise multiplier 0.5, clip 1"], ["2", "none"]]
    assert [row[2:4] for row in others] == releases
    assert others[0][-1] == "iterations 2: the release has noise"


def test_a_folder_without_such_records_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no Record of an inversion with scores"):
        reach.main([str(tmp_path)])
