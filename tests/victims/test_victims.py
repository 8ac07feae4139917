from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

import victims
from defenses import BadInput
from tests.conftest import seeded

SLOW = {"resnet18", "convnet", "wrn-28-10", "wrn-40-4"}  # the same code as others, and larger
BUILT = [n for n in victims.model_names() if n not in SLOW]


def custom(image_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, classes))


def too_few(image_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, classes - 1))


@pytest.mark.parametrize("name", BUILT)
def test_per_example_gradients_equal_a_batch_of_one_loop(name):
    model = victims.load_model(name).double()
    draw = seeded(1)
    images = torch.rand(2, 3, 32, 32, generator=draw, dtype=torch.float64)
    labels = torch.tensor([3, 7])
    grads = victims.per_example_gradients(model, cross_entropy, images, labels)
    for index in range(2):
        loss = cross_entropy(model(images[index : index + 1]), labels[index : index + 1])
        alone = torch.autograd.grad(loss, list(model.parameters()))
        for (key, _), expected in zip(model.named_parameters(), alone, strict=True):
            assert torch.allclose(grads[key][index], expected, rtol=1e-8, atol=1e-12), key


def test_chunks_change_nothing_and_an_empty_batch_works():
    model = victims.load_model("mlp").double()
    images = torch.rand(5, 3, 32, 32, generator=seeded(), dtype=torch.float64)
    labels = torch.arange(5)
    whole = victims.per_example_gradients(model, cross_entropy, images, labels, chunk=5)
    parts = victims.per_example_gradients(model, cross_entropy, images, labels, chunk=2)
    assert all(torch.allclose(whole[k], parts[k]) for k in whole)
    none = victims.per_example_gradients(model, cross_entropy, images[:0], labels[:0])
    assert {k: v.shape for k, v in none.items()} == {k: (0, *v.shape[1:]) for k, v in whole.items()}


def test_batchnorm_in_training_mode_is_refused():
    model = victims.load_model("resnet20-4").train()
    with pytest.raises(BadInput, match=r"mixes examples: call model.eval\(\) or use GroupNorm"):
        victims.per_example_gradients(
            model, cross_entropy, torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
        )
    with pytest.raises(BadInput, match="2 images but 1 labels"):
        victims.per_example_gradients(
            model, cross_entropy, torch.rand(2, 3, 32, 32), torch.tensor([0])
        )


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, (3, 32, 32)) for name in victims.model_names()]
    + [(name, (1, 28, 28)) for name in BUILT],
)
def test_every_model_gives_logits_and_normalises_first(name, shape):
    model = victims.load_model(name, image_shape=shape, classes=7, generator=seeded())
    assert not model.training
    first_layer = next(m for m in model.modules() if not list(m.children()))
    assert type(first_layer).__name__ == "Normalise"
    again = victims.load_model(name, image_shape=shape, classes=7, generator=seeded())
    other = victims.load_model(name, image_shape=shape, classes=7, generator=seeded(1))
    pairs = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    first, second = next(model.parameters()), next(other.parameters())
    assert not torch.equal(first, second)


def test_architectures_are_the_published_ones():
    def size(name):
        return sum(p.numel() for p in victims.load_model(name).parameters())

    assert size("dpcnn") == 550_570
    assert size("lenet") == 15_826
    lenet = victims.load_model("lenet")
    values = torch.cat([p.detach().flatten() for p in lenet.parameters()])
    assert -0.5 <= values.min() < -0.49
    assert 0.49 < values.max() <= 0.5
    groups = [m for m in victims.load_model("resnet18-gn").modules() if "Norm" in type(m).__name__]
    assert {type(m).__name__ for m in groups} == {"GroupNorm", "Normalise"}


def test_a_model_of_ones_own():
    assert victims.load_model("tests.victims.test_victims:custom")(
        torch.zeros(2, 3, 32, 32)
    ).shape == (
        2,
        10,
    )


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenett", (3, 32, 32), "known: convnet, dpcnn, lenet"),
        ("tests.victims.test_victims:too_few", (3, 32, 32), r"gives \(1, 9\) .* need \(1, 10\)"),
        ("tests.victims.test_victims:custom", (1, 8, 8), "cannot take 1x8x8 images"),
        ("tests.victims.test_victims:absent", (3, 32, 32), "cannot be imported"),
        ("convnet", (1, 8, 8), "cannot be built: images must be at least 9x9"),
    ],
)
def test_models_that_do_not_fit_are_refused(name, shape, message):
    with pytest.raises(BadInput, match=message):
        victims.load_model(name, image_shape=shape)


def test_trained_weights_come_from_safetensors_only(tmp_path):
    model = victims.load_model("mlp", generator=seeded(4))
    path = tmp_path / "w.safetensors"
    save_file(model.state_dict(), path)
    loaded = victims.load_model("mlp", weights=path)
    assert torch.equal(loaded[1][1].weight, model[1][1].weight)
    with pytest.raises(BadInput, match="does not fit the model"):
        victims.load_model("lenet", weights=path)
    torch.save(model.state_dict(), path)
    with pytest.raises(BadInput, match="not a readable safetensors file"):
        victims.load_model("mlp", weights=path)
