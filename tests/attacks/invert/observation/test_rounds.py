"""Several rounds of one client are attacked together, by what each says of the same images."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.contract import Threat
from attacks.invert.matching.fit import Fit
from attacks.invert.matching.objective import noise_std, residual
from attacks.invert.observation.rounds import join
from attacks.invert.victim import Victim
from defenses import BadInput, get, stream
from reports import records
from victims.capture import capture_training
from victims.gradients import LocalSteps

DIGITS = (1, 8, 8)


@pytest.fixture(scope="module")
def digits():
    return victims.load_data("digits", count=6)


def net(seed):
    return victims.load_model("mlp", image_shape=DIGITS, generator=stream(seed, "model"))


def rounds(defense, data, local=None, seeds=(0, 1)):
    """Victim and release of each round."""
    found = []
    for seed in seeds:
        victim = Victim(net(seed), cross_entropy, defense, local=local)
        grads = victim.gradients(data.images, data.labels, generator=stream(0, "x"))
        found.append((victim, victim.release(grads, generator=stream(seed, "release"))))
    return found


@pytest.mark.parametrize("name", ["none", "prune", "dpsgd"])
@pytest.mark.parametrize("local", [None, LocalSteps(3, 0.1, 2)])
def test_the_truth_explains_every_round_at_once(digits, name, local):
    options = {"prune": {"rate": 0.5}, "dpsgd": {"clip": 0.01, "noise_multiplier": 0.0}}
    defense = get(name, **options.get(name, {}))
    found = rounds(defense, digits, local)
    victim, release = join(*zip(*found, strict=True))
    threat = Threat(victim.defense, True, DIGITS, 10, 6, digits.images, digits.labels, local=local)
    compare = residual(victim.model, victim.loss, release, threat, digits.labels)
    assert Fit.of(compare, digits.images.double()).share < 1e-6
    assert Fit.of(compare, digits.images.flip(3).double()).share > 0.01
    explained, observed = compare(digits.images.double())
    for index, (own, one) in enumerate(found):
        alone = Threat(defense, True, DIGITS, 10, 6, digits.images, digits.labels, local=local)
        part = residual(own.model, cross_entropy, one, alone, digits.labels)
        size = sum(v.numel() for v in one.update.values())
        place = slice(index * size, (index + 1) * size)
        for mine, theirs in zip((explained, observed), part(digits.images.double()), strict=True):
            assert torch.allclose(mine[place], theirs, rtol=1e-9, atol=1e-12)
    assert noise_std(release, threat) < 1e-3


def test_what_a_round_alone_is_promised_is_refused(digits):
    with pytest.raises(BadInput, match="not attacked together under 'dpsgd'"):
        join(*zip(*rounds(get("dpsgd"), digits), strict=True))


def test_the_command_takes_a_file_for_each_round(invoke, tmp_path, digits):
    for seed in (0, 1):
        model = net(seed)
        with capture_training(tmp_path / f"round-{seed}.safetensors", model, batch=1):
            cross_entropy(model(digits.images[:1]), digits.labels[:1]).backward()
    flags = ("--model", "mlp", "--data", "digits", "--defense", "none", "--noises", "0")
    files = ("--observation", "round-0.safetensors", "round-1.safetensors")
    code, out, err = invoke(*flags, *files, "--attack", "dlg", "--iterations", "60", "--out", "o")
    assert code == 0, err
    assert "round-0.safetensors and 1 later round: dlg guessed 1 image" in out
    record = records.read(tmp_path / "o")
    assert record.scenario["later_rounds"] == ["round-1.safetensors"]
    assert "--observation round-0.safetensors round-1.safetensors" in record.environment["command"]
    assert record.baseline["explained"]["guess"] > 0.9
    code, _, err = invoke(*flags, *files, "--out", "p")
    assert code == 2 and "several rounds are attacked together by bayes, dlg, geiping, sme" in err
    seen = load_file(tmp_path / "round-1.safetensors")
    bare = {k.removeprefix("update/"): v for k, v in seen.items() if "update/" in k}
    save_file(bare, tmp_path / "round-1.safetensors")
    code, _, err = invoke(*flags, *files, "--attack", "dlg", "--out", "p")
    assert code == 2 and "holds no weights" in err
    save_file(seen, tmp_path / "round-1.safetensors", {"batch": "2"})
    code, _, err = invoke(*flags, *files, "--attack", "dlg", "--out", "p")
    assert code == 2 and "states batch 2, but 1 was given" in err
    assert not (tmp_path / "p").exists()
