"""A result of other images under the same name is not taken for that of these."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import attacks
from attacks.audit import __main__ as audit
from attacks.invert import __main__ as invert
from attacks.membership import __main__ as membership
from defenses import BadInput
from reports.records import Partial
from reports.scores import psnr

SMALL = ["--model", "linear", "--defense", "none", "--batch-size=4", "--epochs=1", "--jobs=1"]
PLAYED = ["--count=10", "--population=2", "--shadows=2", "--attacks", "loss", "--watched=0"]
COMMANDS = {
    invert: ["--model=mlp", "--defense=none", "--against", "--images=1", "--attack=analytic"],
    membership: [*SMALL, *PLAYED],
    audit: [*SMALL, "--count=8", "--canaries=8", "--methods=one-run"],
}


def pictures(place, seed):
    draw = np.random.default_rng(seed)
    for label in ("cat", "dog"):
        (place / label).mkdir(parents=True, exist_ok=True)
        for index in range(24):
            tiles = np.kron(draw.random((2, 2, 3)), np.ones((4, 4, 1)))
            Image.fromarray((255 * tiles).astype(np.uint8)).save(place / label / f"{index}.png")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.__name__.split(".")[1])
def test_a_result_of_other_images_is_not_found_again(command, tmp_path, capsys):
    pictures(tmp_path / "data", 0)
    argv = [*COMMANDS[command], "--data", f"folder:{tmp_path}/data", "--out", str(tmp_path / "out")]
    assert command.main(argv) == 0
    assert command.main(argv) == 0
    assert "holds this result already" in capsys.readouterr().out
    before = (tmp_path / "out" / "result.json").read_bytes()
    pictures(tmp_path / "data", 1)
    with pytest.raises(BadInput, match=r"ha(s|ve) changed"):
        command.main(argv)
    assert (tmp_path / "out" / "result.json").read_bytes() == before
    assert command.main([*argv, "--fresh"]) == 0


def test_pieces_of_other_images_are_not_resumed(tmp_path):
    wanted = attacks.Scenario(
        data=f"folder:{tmp_path}/data",
        images=2,
        model="mlp",
        defense="none",
        against=(),
        attack="analytic",
    )
    found = []
    for seed in (0, 7, 0):
        pictures(tmp_path / "data", seed)
        found.append(attacks.run(wanted, out=tmp_path / "out"))
    right = psnr(found[1].arrays["none/adaptive"], found[1].arrays["truth"])
    assert [r["psnr"] for r in found[1].rows] == pytest.approx(right.tolist())
    told = [record.environment["data_sha256"] for record in found]
    assert told[0] == told[2] != told[1]
    seconds = [[row["seconds"] for row in record.rows] for record in found]
    assert seconds[0] == seconds[2] != seconds[1]  # resumed, and run


def test_a_piece_is_found_by_its_content(tmp_path):
    Partial(tmp_path, "a" * 64).save("x", {"n": 1}, {"t": torch.ones(2)})
    assert Partial(tmp_path, "b" * 64).load("x") is None
    assert Partial(tmp_path).load("x") is None
    assert Partial(tmp_path, "a" * 64).load("x")[0] == {"n": 1}
