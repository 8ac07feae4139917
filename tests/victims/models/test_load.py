"""Models of the user's own: each works as one example at a time does, or is refused in words."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from attacks.invert.matching.gradients import (
    candidate_gradients,
    refuse_single_derivatives,
)
from defenses import BadInput, stream
from tests import odd_models
from victims.gradients import gradient_chunks
from victims.training import Training, features, prepare, run

SHAPE = (1, 8, 8)


def loaded(name, **given):
    return victims.load_model(f"tests.odd_models:{name}", image_shape=SHAPE, **given)


def batch(count=3, dtype=torch.float32):
    draw = stream(0, "test")
    images = torch.rand(count, *SHAPE, generator=draw, dtype=dtype)
    images[0] *= 0.5  # on the other side of a branch
    return images, torch.arange(count)


@pytest.mark.parametrize("name", odd_models.RIGHT)
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_those_of_one_example_at_a_time(name, training):
    model = loaded(name).train(training)
    images, labels = batch()
    kept = images.clone()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    found = victims.per_example_gradients(model, cross_entropy, images, labels)
    assert torch.equal(images, kept)
    model.load_state_dict(state)
    named = {k: p for k, p in model.named_parameters() if p.requires_grad}
    assert list(found) == list(named)
    for index in range(3):
        model.load_state_dict(state)
        part = slice(index, index + 1)
        right = torch.autograd.grad(
            cross_entropy(model(images[part]), labels[part]),
            list(named.values()),
            allow_unused=True,
            materialize_grads=True,
        )
        for key, expected in zip(named, right, strict=True):
            assert torch.allclose(found[key][index], expected, rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize("name", odd_models.RIGHT)
def test_gradients_can_be_differentiated_in_a_copy_of_double_precision(name):
    model = loaded(name)
    model(batch()[0])  # whatever a pass leaves behind, a copy can be made
    refuse_single_derivatives(model, cross_entropy, SHAPE, name)
    working = copy.deepcopy(model).double()
    images, labels = batch(2, torch.float64)
    images.requires_grad_()
    grads = candidate_gradients(working, cross_entropy, images, labels, differentiable=True)
    total = sum(g.square().sum() for g in grads.values())
    (slope,) = torch.autograd.grad(total, images)
    assert torch.isfinite(slope).all()
    assert slope.abs().max() > 0
    step = 1e-6 * torch.randn(images.shape, generator=stream(0, "step"), dtype=torch.float64)

    def energy(x):
        found = candidate_gradients(working, cross_entropy, x, labels, differentiable=False)
        return sum(float(g.square().sum()) for g in found.values())

    rise = (energy(images.detach() + step) - energy(images.detach() - step)) / 2
    assert rise == pytest.approx(float((slope * step).sum()), rel=1e-3, abs=1e-12)


def test_a_model_without_second_derivatives_in_float64_trains_but_is_not_attacked():
    trained("Single")
    with pytest.raises(BadInput, match="model 'own:net' cannot be attacked"):
        refuse_single_derivatives(loaded("Single"), cross_entropy, SHAPE, "own:net")


@pytest.mark.parametrize("name", odd_models.REFUSED)
def test_what_cannot_hold_is_refused_in_one_line(name):
    with pytest.raises(BadInput, match=odd_models.REFUSED[name]) as caught:
        loaded(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Lazy", "FromNumpy", "Plain"])
def test_weights_follow_from_the_generator_alone(name):
    states = []
    for elsewhere in (1, 2):
        torch.manual_seed(elsewhere)
        states.append(loaded(name, generator=stream(7, "model")).state_dict())
    other = loaded(name, generator=stream(8, "model")).state_dict()
    assert all(torch.equal(states[0][k], states[1][k]) for k in other)
    assert not torch.equal(states[0]["a.weight"], other["a.weight"])


@pytest.mark.parametrize("name", ["compiled", "parallel", "opacus"])
def test_wrappers_are_taken_off(name):
    assert list(loaded(name).state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_wrong_vmap_is_found_out(monkeypatch):
    from victims.gradients import any_model

    mapped = any_model.gradients_at

    def wrong(*given):
        return {k: g.roll(1, 0) for k, g in mapped(*given).items()}

    monkeypatch.setattr(any_model, "gradients_at", wrong)
    model = loaded("Plain")
    images, labels = batch()
    found = victims.per_example_gradients(model, cross_entropy, images, labels)
    alone = victims.per_example_gradients(model, cross_entropy, images[:1], labels[:1])
    assert torch.allclose(found["a.weight"][:1], alone["a.weight"], atol=1e-6)


def test_a_builder_that_returns_one_object_lends_it_unchanged(monkeypatch):
    one = odd_models.Plain(SHAPE, 10)
    monkeypatch.setattr(odd_models, "one", lambda shape, classes: one, raising=False)
    first, second = loaded("one"), loaded("one")
    with torch.no_grad():
        first.a.weight.zero_()
    assert one.a.weight.abs().max() > 0
    assert torch.equal(second.a.weight, one.a.weight)


def test_batchnorm_by_the_batch_is_refused_in_eval_mode_too():
    model = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten()).eval()
    with pytest.raises(BadInput, match="without running statistics"):
        victims.per_example_gradients(model, cross_entropy, *batch())


def test_weights_that_are_not_finite_are_refused(tmp_path):
    state = loaded("Plain").state_dict()
    state["a.bias"][0] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(BadInput, match=r"holds NaN or infinite values in 'a\.bias'"):
        loaded("Plain", weights=tmp_path / "w.safetensors")


def trained(name, defense="dpsgd", **changes):
    made = Training(
        data="digits",
        model=f"tests.odd_models:{name}",
        defense=defense,
        **{"count": 24, "batch_size": 8, "epochs": 1, **changes},
    )
    prepared = prepare.prepare(made)
    before = {k: v.clone() for k, v in prepared.trainer.model.state_dict().items()}
    rows = list(run.run(prepared, None))
    return prepared.trainer, rows, before


@pytest.mark.parametrize(
    ("name", "defense"),
    [
        *((name, "dpsgd") for name in odd_models.RIGHT),
        *((name, "none") for name in ("Spare", "Spectral", "Vit", "Gru", "Branches", "Logits")),
    ],
)
def test_every_model_trains(name, defense):
    trainer, rows, before = trained(name, defense)
    assert rows
    after = trainer.model.state_dict()
    assert any(not torch.equal(after[k], before[k]) for k in before)
    assert all(torch.isfinite(v).all() for v in after.values())
    if name == "Spare" and defense == "none":
        assert torch.equal(after["aux.weight"], before["aux.weight"])


def test_training_changes_no_image():
    plain, _, _ = trained("Plain")
    private = plain.inputs.clone()
    place, _, _ = trained("InPlace", "none", epochs=3)
    assert torch.equal(place.inputs, private)
    images, labels = private, place.labels
    assert place.correct(images, labels) == place.correct(images, labels)
    assert torch.equal(images, place.inputs)


def test_statistics_of_private_examples_are_refused_where_a_guarantee_is():
    with pytest.raises(BadInput, match="buffer 'mean' takes up the examples"):
        trained("Statistics")
    trained("Statistics", "none")


def test_an_answer_of_another_kind_in_training_is_refused_before_it():
    for defense in ("dpsgd", "none"):
        with pytest.raises(BadInput, match=r"no gradient for one example|cannot be trained"):
            trained("Auxiliary", defense)


def test_batches_of_none_and_of_one_pass_batchnorm():
    sizes = []
    trainer, _, _ = trained("Norm", "none", batch_size=2, epochs=2, count=40)
    for step in range(trainer.plan.steps):
        trainer.step = step
        sizes.append(len(trainer.sample()))
    assert {0, 1} <= set(sizes)
    assert all(torch.isfinite(v).all() for v in trainer.model.state_dict().values())
    images, labels = trainer.inputs[:1], trainer.labels[:1]
    one = trainer.network.total(trainer.informed(), {}, images, labels)
    trainer.net.eval()
    right = torch.autograd.grad(
        cross_entropy(trainer.net(images), labels), list(trainer.parameters.values())
    )
    for key, expected in zip(trainer.parameters, right, strict=True):
        assert torch.allclose(one[key], expected, atol=1e-6)


def test_a_power_iteration_moves_once_per_batch_whatever_the_chunks():
    images, labels = batch(5)
    found = []
    for chunk in (1, 5):
        model = loaded("Spectral").train()
        grads = list(gradient_chunks(model, cross_entropy, images, labels, chunk=chunk))
        joined = torch.cat([g["b.weight"] for g in grads])
        found.append((joined, dict(model.named_buffers())))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)
    assert all(torch.allclose(v, found[1][1][k]) for k, v in found[0][1].items())


def test_features_are_kept_by_what_they_were_computed_from(tmp_path, monkeypatch):
    store = features.Store(keeping=True)
    made = Training(
        data="digits", count=20, model="mlp", layers="last", defense="none", batch_size=4
    )
    whole = prepare.prepare(made).model
    monkeypatch.setattr(prepare, "STORE", store)
    first = prepare.prepare(made).trainer.inputs
    again = prepare.prepare(made).trainer.inputs
    assert len(store.kept) == 2
    assert first is again
    path = tmp_path / "w.safetensors"
    started = Training(**{**made.document(), "weights": str(path)})
    for scale in (1.0, 2.0):  # another file under the same name
        save_file({k: scale * v for k, v in whole.state_dict().items()}, path)
        kept = prepare.prepare(started).trainer.inputs
        with monkeypatch.context() as without:
            without.setattr(prepare, "STORE", features.Store())
            fresh = prepare.prepare(started).trainer.inputs
        assert torch.equal(kept, fresh)


def test_an_instance_norm_with_statistics_is_refused_in_words():
    model = nn.Sequential(nn.InstanceNorm2d(1, track_running_stats=True), nn.Flatten())
    model.append(nn.Linear(64, 10)).train()
    with pytest.raises(BadInput, match=r"buffer '0.running_(mean|var)' takes up the examples"):
        victims.per_example_gradients(model, cross_entropy, *batch())


@pytest.mark.parametrize("found", [lambda a: odd_models.Plain(SHAPE, 10), "no callable"])
def test_a_model_that_cannot_be_called_says_with_what_it_is(monkeypatch, found):
    monkeypatch.setattr(odd_models, "one", found, raising=False)
    with pytest.raises(BadInput, match=r"a class or callable of \(image_shape, classes\)"):
        loaded("one")
