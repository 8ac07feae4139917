"""Momentum that outlives a round is taken out of updates before they are attacked."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.observation.velocity import begins, gradients_of
from attacks.invert.victim import Victim
from defenses import BadInput, Release, get, stream
from reports import records
from victims.gradients import LocalSteps
from victims.gradients.captured import Told, write_seen

MOMENTUM, LR = 0.9, 0.1


@pytest.fixture(scope="module")
def course():
    """(weights before, weights after, gradient) of each round of a client that keeps its SGD."""
    data = victims.load_data("digits", count=3)
    model = victims.load_model("linear", image_shape=(1, 8, 8), generator=stream(0, "model"))
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    found = []
    for index in range(3):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        optimizer.zero_grad()
        cross_entropy(
            model(data.images[index : index + 1]), data.labels[index : index + 1]
        ).backward()
        slopes = {k: p.grad.clone() for k, p in model.named_parameters()}
        optimizer.step()
        found.append((before, {k: v.clone() for k, v in model.state_dict().items()}, slopes))
    return data, found


def seen(course, defense="none", local=None):
    victim = Victim(torch.nn.Linear(1, 1), cross_entropy, get(defense), local=local)
    return [
        (victim, Release({k: (before[k] - after[k]) / LR for k in before}, {"batch_size": 1}, 4))
        for before, after, _ in course[1]
    ]


@pytest.mark.parametrize("started", [True, False])
def test_what_is_left_of_each_round_is_its_own_gradient(course, started):
    found = gradients_of(seen(course), MOMENTUM, started)
    true = [slopes for _, _, slopes in course[1]][0 if started else 1 :]
    assert len(found) == len(true)
    for (_, release), slopes in zip(found, true, strict=True):
        assert all(torch.allclose(release.update[k], v, atol=1e-5) for k, v in slopes.items())


@pytest.mark.parametrize(
    ("momentum", "started", "defense", "local", "message"),
    [
        (1.0, True, "none", None, "must be in"),
        (0.9, True, "dpsgd", None, "left as they were, not of dpsgd"),
        (0.9, True, "none", LocalSteps(2, 0.1, 1), "rounds of one step"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(course, momentum, started, defense, local, message):
    with pytest.raises(BadInput, match=message):
        gradients_of(seen(course, defense, local), momentum, started)


def test_one_file_alone_is_refused_unless_it_is_of_the_first_round(course):
    (one, *_) = seen(course)
    with pytest.raises(BadInput, match="takes the round before too"):
        gradients_of([one], MOMENTUM, False)
    assert gradients_of([one], MOMENTUM, True)[0][1].update.keys() == one[1].update.keys()


def test_the_command_rebuilds_a_later_rounds_image_with_the_momentum_alone(
    invoke, tmp_path, course
):
    data, rounds = course
    for number, (before, after, _) in enumerate(rounds[1:], 2):
        told = Told(examples=1, batch=1, lr=LR, momentum=MOMENTUM, round=number)
        write_seen(tmp_path / f"{number}.safetensors", before, after, told)
    flags = ("--model", "linear", "--data", "digits", "--defense", "none", "--noises", "0")
    flags += ("--attack", "analytic", "--observation")
    code, _, err = invoke(*flags, "2.safetensors", "3.safetensors", "--kept-momentum", "0.9")
    assert code == 0, err
    (folder,) = (tmp_path / "runs").iterdir()
    guess = records.read(folder).arrays["none/adaptive"][0]
    assert float((guess - data.images[2]).square().mean()) < 1e-6
    code, _, _ = invoke(*flags, "3.safetensors", "--out", "mixed")
    mixed = records.read(tmp_path / "mixed").arrays["none/adaptive"][0]
    assert code == 0 and float((mixed - data.images[2]).square().mean()) > 1e-3
    code, _, err = invoke("--kept-momentum", "0.9")
    assert code == 2 and "--kept-momentum is of a captured update" in err


def test_rounds_that_do_not_follow_one_another_are_refused(tmp_path):
    for number in (1, 3):
        save_file({"w": torch.ones(1)}, tmp_path / f"{number}", {"round": str(number)})
    assert begins([tmp_path / "1"]) and not begins([tmp_path / "3"])
    with pytest.raises(BadInput, match="is of round 3, after round 1"):
        begins([tmp_path / "1", tmp_path / "3"])


@pytest.mark.parametrize("metadata", [None, {"round": ""}, {"round": "two"}])
def test_files_that_do_not_say_their_round_are_refused_beside_others(tmp_path, metadata):
    save_file({"w": torch.ones(1)}, tmp_path / "1", {"round": "1"})
    save_file({"w": torch.ones(1)}, tmp_path / "next", metadata)
    with pytest.raises(BadInput, match="next does not say its round"):
        begins([tmp_path / "1", tmp_path / "next"])
    assert not begins([tmp_path / "next"])
