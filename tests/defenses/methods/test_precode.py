"""PRECODE: where it stands, and what its release tells of the draw."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import defenses
import victims
from defenses import BadInput, preprocessing
from defenses.methods.precode import fed
from defenses.methods.precode_bottleneck import Bottleneck
from tests.attacks.invert.seen import seen_by
from tests.conftest import seeded
from victims.training import Training
from victims.training.prepare import prepare


def test_it_stands_in_front_of_the_last_linear_layer(lenet, guarded):
    before = dict(lenet.named_parameters())
    places = [k for k, m in guarded.named_modules() if isinstance(m, Bottleneck)]
    assert len(places) == 1
    linear = [k for k, m in guarded.named_modules() if isinstance(m, nn.Linear)]
    assert linear[-3:-1] == [f"{places[0]}.encoder", f"{places[0]}.decoder"]
    assert dict(lenet.named_parameters()).keys() == before.keys()
    assert preprocessing.draws(guarded)
    assert not preprocessing.draws(lenet)


def test_the_release_tells_the_draw(guarded, photos, auxiliary):
    """Replaying the private image at the solved draw gives the release, to rounding."""
    defense = defenses.get("precode")
    release, _, images, labels, grads = seen_by(guarded, defense, photos, auxiliary)
    model, left = preprocessing.solve(defense, guarded, release)
    again = victims.per_example_gradients(model, cross_entropy, images, labels)
    assert left.update.keys() == again.keys()
    for name, value in left.update.items():
        assert torch.allclose(again[name][0], value, atol=2e-5 * float(value.abs().max()))
    # The bottleneck has told all it knows, and is matched no more.
    assert {k.split(".")[-2] for k in grads.keys() - left.update.keys()} == {
        "encoder",
        "decoder",
    }
    mean = victims.per_example_gradients(
        copy.deepcopy(guarded).eval(), cross_entropy, images, labels
    )
    off = max(
        float((mean[k][0] - v).norm() / v.norm()) for k, v in left.update.items() if v.ndim > 1
    )
    assert off > 0.3  # without the draw there is no matching


def test_what_a_layer_was_fed_with_and_how_sure_that_is():
    slope, fed_with = torch.randn(9, 5, generator=seeded()).double().unbind(1)[:2]
    fed_with = torch.cat([fed_with, fed_with])
    update = {"l.weight": torch.outer(slope, fed_with), "l.bias": slope}
    known, error = fed(update, "l", 0.0)
    assert torch.allclose(known, fed_with)
    assert not error.any()
    update["l.weight"][:, 2] = 0
    noisy = {k: v + 0.01 * torch.randn(v.shape, generator=seeded(1)) for k, v in update.items()}
    noisy["l.weight"][:, 2] = 0
    known, error = fed(noisy, "l", 0.01)
    assert known[2] == 0
    assert error[2] > 1e6
    rest = torch.arange(18) != 2
    assert float(((known - fed_with)[rest].square() / error[rest]).mean()) < 6


def test_noise_shrinks_the_draw_to_its_mean(guarded, photos, auxiliary):
    defense = defenses.get("dpsgd+precode", noise_multiplier=100.0)
    release = seen_by(guarded, defense, photos, auxiliary)[0]
    model, left = preprocessing.solve(defense, guarded, release)
    (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
    assert float(module.draw.abs().max()) < 0.5
    assert left is release  # clipping ties all layers together: none may be left out


def test_in_a_batch_draws_stay_at_their_mean(guarded, photos, auxiliary):
    release = seen_by(guarded, defenses.get("precode"), photos, auxiliary, batch=2)[0]
    model, left = preprocessing.solve(defenses.get("precode"), guarded, release)
    (module,) = (m for m in model.modules() if isinstance(m, Bottleneck))
    assert not module.draw.any()
    assert not module.training
    assert left is release


def test_there_must_be_a_place_for_it(guarded):
    defense = defenses.get("precode")
    with pytest.raises(BadInput, match="has no linear layer"):
        defense.equip(nn.Sequential(nn.Conv2d(3, 4, 3)), seeded())
    with pytest.raises(BadInput, match="has one already"):
        defense.equip(guarded, seeded())


@pytest.mark.parametrize("defense", ["precode", "dpsgd+precode"])
def test_codes_are_drawn_by_the_seed(defense):
    options = {"noise_multiplier": 0.0} if "dpsgd" in defense else {}
    about = {"data": "digits", "model": "lenet", "count": 60, "batch_size": 20}
    runs = []
    for seed in (0, 0, 1):
        training = Training(**about, defense=defense, defense_options=options, seed=seed)
        trainer = prepare(training).trainer
        for _ in range(3):
            trainer.advance()
        runs.append(torch.cat([v.flatten() for v in trainer.network.weights().values()]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_one_backward_pass_is_the_sum_over_examples():
    """The divergence too: per-example gradients against one pass over the batch."""
    training = Training(
        data="digits",
        model="lenet",
        defense="precode",
        defense_options={"divergence": 5.0},
        count=30,
        batch_size=10,
    )
    trainer = prepare(training).trainer
    trainer.net.eval()
    images, labels = trainer.inputs[:7], trainer.labels[:7]
    (whole,) = trainer.network.chunks(images, labels)
    each = victims.per_example_gradients(trainer.net, cross_entropy, images, labels)
    for name, value in each.items():
        assert torch.allclose(whole[name][0], value.sum(0), rtol=1e-3, atol=1e-5)
