"""The figure of PSNR against drop rate and noise, with the rate at which equations run out."""

from __future__ import annotations

import pytest

import attacks
from attacks.invert import cliff
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
    # 256 hidden units: each pixel has an equation left at 1 - 1 / 256.
    assert [line.split(" | ")[1:3] for line in said if line.startswith("| mlp")] == [
        ["rate", "0.3"],
        ["rate", "0.999"],
        ["noise", "0.1"],
    ]
    assert all(line.endswith("| 0.99609 |") for line in said if line.startswith("| mlp"))
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_such_records_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no Record of dprs or dpsgd"):
        cliff.main([str(tmp_path)])
