"""A result is found again only where everything that it names is as it was."""

from __future__ import annotations

import importlib
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

import attacks
import defenses
import victims
from attacks.invert.scenario import Scenario
from defenses import BadInput
from defenses.sources import source_digest
from reports import records
from reports.commands.keep import earlier_record
from reports.commands.origins import mark, origins
from reports.scores import psnr


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_helper.py").write_text("FACTOR = 1\n")
    (tmp_path / "own_nets.py").write_text(
        "import own_helper\nfrom torch import nn\n"
        "def net(shape, classes):\n"
        "    size = shape[0] * shape[1] * shape[2]\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(size, classes))\n"
    )
    yield tmp_path
    for name in ("own_helper", "own_nets"):
        sys.modules.pop(name, None)


def pictures(folder, seed):
    draw = np.random.default_rng(seed)
    for name in "ab":
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(4):
            tiles = np.kron(draw.random((2, 2, 3)), np.ones((4, 4, 1)))
            Image.fromarray((255 * tiles).astype("uint8")).save(folder / name / f"{index}.png")


def edited(path, text):
    path.write_text(text)
    importlib.invalidate_caches()


def test_what_comes_with_the_project_needs_no_digest():
    assert origins(Scenario().document()) == {}
    assert mark(Scenario().document()) == ""
    assert source_digest(defenses.registry.find("dprs")) == ""


def test_own_code_is_known_by_its_files_and_those_that_they_use(place):
    document = {"model": "own_nets:net", "data": "digits", "defense": "none"}
    first = origins(document)
    assert list(first) == ["model"]
    assert origins(document) == first
    edited(place / "own_helper.py", "FACTOR = 2\n")
    second = origins(document)
    assert second != first
    edited(place / "own_nets.py", (place / "own_nets.py").read_text() + "# another\n")
    assert origins(document) not in (first, second)


def test_what_the_loader_passes_over_makes_no_other_folder(place):
    pictures(place / "data", 0)
    first = origins({"data": "folder:data"})
    results = place / "data" / "runs" / "invert-0"
    results.mkdir(parents=True)
    (results / ".leakgauge").write_text("{}")
    (results / "result.json").write_text("{}")
    (place / "data" / "a" / ".hidden.png").write_bytes(b"x")
    assert origins({"data": "folder:data"}) == first
    (place / "data" / "a" / "9.png").write_bytes((place / "data" / "a" / "0.png").read_bytes())
    assert origins({"data": "folder:data"}) != first


def test_a_zip_is_known_by_what_lies_in_it(place):
    found = []
    for seed in (0, 0, 1):
        pictures(place / "data", seed)
        shutil.make_archive(str(place / "packed"), "zip", place / "data")
        found.append(origins({"data": "folder:packed.zip"}))
    assert found[0] == found[1] != found[2]


def test_folders_and_weights_are_known_by_their_bytes(place):
    pictures(place / "data", 0)
    save_file({"w": torch.zeros(2)}, place / "w.safetensors")
    document = {"data": "folder:data", "weights": "w.safetensors"}
    first = origins(document)
    assert sorted(first) == ["data", "weights"]
    pictures(place / "data", 0)
    assert origins(document) == first
    pictures(place / "data", 1)
    save_file({"w": torch.ones(2)}, place / "w.safetensors")
    second = origins(document)
    assert second["data"] != first["data"]
    assert second["weights"] != first["weights"]
    with pytest.raises(BadInput, match=r"gone\.safetensors"):
        origins({"weights": "gone.safetensors"})


def small(**changes):
    fields = {"data": "folder:data", "images": 2, "model": "mlp", "defense": "none", "against": ()}
    return Scenario(**{**fields, "attack": "analytic", "budget": 2, **changes})


def test_pieces_of_other_pictures_are_not_taken_up(place):
    pictures(place / "data", 0)
    attacks.run(small(), out=place / "kept")
    pieces = set((place / "kept/partial").iterdir())
    pictures(place / "data", 7)
    record = attacks.run(small(), out=place / "kept")
    assert pieces < set((place / "kept/partial").iterdir())
    right = psnr(record.arrays["none/adaptive"], record.arrays["truth"])
    assert [r["psnr"] for r in record.rows] == pytest.approx(right.tolist(), abs=1e-3)


def test_a_record_of_other_files_is_not_the_result_already(place):
    pictures(place / "data", 0)
    scenario = small(model="own_nets:net")
    record = attacks.run(scenario)
    records.write(record, place / "kept")
    assert earlier_record(place / "kept", scenario.document()) is not None
    edited(place / "own_helper.py", "FACTOR = 3\n")
    with pytest.raises(BadInput, match="what model names has changed"):
        earlier_record(place / "kept", scenario.document())
    pictures(place / "data", 5)
    with pytest.raises(BadInput, match="what data and model names has changed"):
        earlier_record(place / "kept", scenario.document())
    told = json.loads((place / "kept/result.json").read_text())
    del told["environment"]["origins"]  # as earlier versions wrote it
    (place / "kept/result.json").write_text(json.dumps(told))
    assert records.read(place / "kept") is not None
    with pytest.raises(BadInput, match="or was not noted"):
        earlier_record(place / "kept", scenario.document())


def test_a_captured_update_of_ones_own_model_is_found_again(place, capsys):
    from attacks.invert.__main__ import main

    data = victims.load_data("digits", count=1)
    net = victims.load_model("own_nets:net", image_shape=(1, 8, 8))
    grads = victims.per_example_gradients(net, cross_entropy, data.images, data.labels)
    save_file({k: v[0].contiguous() for k, v in grads.items()}, place / "seen.safetensors")
    words = "--observation seen.safetensors --model own_nets:net --data digits --defense none"
    flags = [*words.split(), "--attack", "analytic", "--noises", "2", "--out", "kept"]
    assert main(flags) == 0
    capsys.readouterr()
    assert main(flags) == 0
    assert "holds this result already" in capsys.readouterr().out
    edited(place / "own_helper.py", "FACTOR = 2\n")
    with pytest.raises(BadInput, match="model names has changed"):
        main(flags)
