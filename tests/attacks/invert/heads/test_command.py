"""The command rebuilds images from a head's releases, and says what noise leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from attacks.invert.heads import cost
from attacks.invert.heads.__main__ import main
from attacks.invert.heads.decoder import train_decoder
from attacks.invert.heads.scenario import Scenario
from attacks.invert.heads.study import study
from defenses import BadInput
from reports import records
from reports.records import inversion
from victims.transfer.scenario import Transfer

SMALL = ["--images", "2", "--candidates", "4", "--iterations", "20", "--count", "60"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAKGAUGE_FEATURES", str(tmp_path / "features"))


def test_the_control_is_named_and_rebuilt_and_the_record_is_of_its_kind(capsys):
    words = ["--method", "dp-fc", "--epsilon", "1", *SMALL]
    assert main([*words, "--out", "one"]) == 0
    assert "named first of so many" in capsys.readouterr().out
    record = records.read(Path("one"))
    found = inversion.parse(record)
    assert {c.defense for c in found.columns} == {"none", "dp-fc"}
    assert [r["rank"] for r in record.rows if r["defense"] == "none"] == [1, 1]
    none, private = (record.summary[f"{n}/adaptive"]["psnr"]["mean"] for n in ("none", "dp-fc"))
    assert none > private
    # Phi(Phi^-1(1/4) + mu) at mu 0.2681, of epsilon 1 at delta 1e-5.
    assert found.guarantees["dp-fc"].top1 == pytest.approx(0.3422, abs=1e-3)
    assert found.guarantees["none"].top1 == 1
    assert main([*words, "--out", "one"]) == 0
    assert "holds this result already" in capsys.readouterr().out
    assert main([*words, "--out", "two"]) == 0
    again = records.read(Path("two"))
    assert all(torch.equal(a, again.arrays[k]) for k, a in record.arrays.items())


def test_what_it_costs_is_found_by_trying_and_changes_nothing(monkeypatch):
    scenario = Scenario(
        transfer=Transfer(count=60, epsilon=1.0), images=2, candidates=4, iterations=20
    )
    plain = study(scenario)
    tried, told = [], []  # features tell, too, that they are there
    monkeypatch.setattr(cost, "seek", lambda *given: tried.append(given))

    class Listener:
        def __call__(self, line, done, total):
            assert done <= total == 4 or total == 1

        def expect(self, seconds):
            told.append(seconds)

    again = study(scenario, report=Listener())
    assert len(tried) == 2 and 0 < told[-1] < 60
    assert all(torch.equal(a, again.arrays[k]) for k, a in plain.arrays.items())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--method", "dp-sgd", "--batch-size", "20"], "samples its examples"),
        (["--method", "dp-gd", "--see", "gramians"], "releases no gramians"),
        (["--images", "0"], "images is 0; it must be >= 1"),
        (["--count", "5000"], "digits"),
    ],
)
def test_what_cannot_be_played_is_refused(words, told, tmp_path):
    with pytest.raises(BadInput, match=told):
        main([*SMALL, *words, "--out", "bad"])
    assert not (tmp_path / "bad/result.json").exists()


def test_a_decoder_of_nothing_but_noise_answers_with_the_mean_image():
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(64, 1, 6, 6, generator=draw)
    features = images.flatten(1) / 6
    blind, seeing = (
        train_decoder(features, images, error, 150, torch.Generator().manual_seed(1))
        for error in (1e3, 0.0)
    )
    with torch.no_grad():
        noise = 1e3 * torch.randn(64, 36, generator=draw)
        mean = (blind(features + noise) - images.mean(0)).square().mean()
        sharp = (seeing(features) - images).square().mean()
    spread = float((images - images.mean(0)).square().mean())
    assert float(sharp) < 0.3 * spread
    assert float(mean) < 0.3 * spread
