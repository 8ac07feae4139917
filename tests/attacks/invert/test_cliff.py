"""The figure of PSNR against drop rate and noise, with the rate at which equations run out."""

from __future__ import annotations

import shutil

import pytest

import attacks
from attacks.invert.cliff import command as cliff
from attacks.invert.cliff.predicted import Prediction
from attacks.invert.scenario import Scenario
from defenses import BadInput
from reports import records


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cliff")
    plain = {"noise_multiplier": 0.0, "cooling": False}
    for defense, options in (
        ("dprs", {"rate": 0.3, **plain}),
        ("dprs", {"rate": 0.999, **plain}),
        ("dpsgd", {"noise_multiplier": 0.1}),
    ):
        scenario = Scenario(
            data="digits",
            images=2,
            model="mlp",
            attack="analytic",
            defense=defense,
            defense_options=options,
            against=(),
            columns="adaptive",
        )
        records.write(attacks.run(scenario), folder / scenario.key())
    return folder


def test_the_figure_has_rates_and_noise_and_the_count(study, tmp_path, capsys):
    figure = tmp_path / "cliff.png"
    assert cliff.main([str(study), "--out", str(figure)]) == 0
    said = capsys.readouterr().out.splitlines()
    cells = [
        line.strip("| ").split(" | ") for line in said if " rate " in line or " noise " in line
    ]
    cells = [c for c in cells if c[0] == "mlp"]
    assert [c[2:4] for c in cells] == [["rate", "0.3"], ["rate", "0.999"], ["noise", "0.1"]]
    assert [c[5] for c in cells] == ["2"] * 3
    assert any(line.startswith("| mlp | | no release |") for line in said)
    assert "| mlp | untrained | 0.3 | 1.000 | 1.000 |" in said  # expected to be told, and found
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_lines_stand_where_the_count_says(study):
    prediction = Prediction.of(records.read(next(study.iterdir())), 10)
    assert prediction.coordinates == 65 * 256 + 257 * 10
    named = {found.label: found for found in prediction.run_outs}
    # 128 of 256 rows are expected to be on: none joins 64 pixels beyond 1 - 1 / sqrt(128 * 64).
    assert 0.98 < named["layer 1.1"].half < 1 - 1 / (128 * 64) ** 0.5
    assert named["layer 1.1"].first < 0.97
    expected = dict(prediction.psnr_by_rate(10.0))
    assert expected[0.0] == 60.0
    assert min(expected.values()) == pytest.approx(10.0, abs=0.1)


def test_an_image_that_two_records_have_is_not_counted_twice(study, tmp_path):
    first = next(study.iterdir())
    shutil.copytree(first, tmp_path / "again" / first.name)
    with pytest.raises(BadInput, match=r"two Records have image 0 of mlp at .* have it once"):
        cliff.main([str(study), str(tmp_path / "again"), "--out", str(tmp_path / "none.png")])
    assert not (tmp_path / "none.png").exists()


def test_a_folder_without_such_records_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no Record of dprs or dpsgd"):
        cliff.main([str(tmp_path)])
