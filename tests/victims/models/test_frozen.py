from __future__ import annotations

import cmath
import math
import runpy
import sys

import pytest
import scipy.special
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

import victims
import victims.models.scattering
from defenses import BadInput
from tests.conftest import seeded
from victims.models.frozen import Featurised, precompute, split_last
from victims.models.scattering import Scattering, scattering2d

NAMES = ("scatter-linear", "scatter-cnn", "tanh-cnn")
GREY, COLOUR = (1, 28, 28), (3, 32, 32)


def images(count, shape=GREY, seed=0, dtype=torch.float32):
    return torch.rand(count, *shape, generator=seeded(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [GREY, COLOUR, (2, 8, 8), (1, 21, 34)])
def test_scattering_is_kymatios(shape):
    scattering2d()
    from kymatio.numpy import Scattering2D

    batch = images(3, shape)
    expected = torch.from_numpy(Scattering2D(2, shape[1:])(batch.numpy())).flatten(1, 2)
    found = Scattering(*shape[1:])(batch)
    assert found.shape == (3, shape[0] * 81, shape[1] // 4, shape[2] // 4)
    assert torch.allclose(found, expected, atol=2e-6)


def test_first_order_is_a_convolution_with_a_morlet_wavelet():
    # From the definitions (Bruna and Mallat 2013), without kymatio or a Fourier transform.
    grid = torch.arange(-20, 21, dtype=torch.float64)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    angle, width = torch.tensor(torch.pi / 8, dtype=torch.float64), 0.8
    along = y * angle.cos() + x * angle.sin()
    beside = (x * angle.cos() - y * angle.sin()) / 2
    gauss = torch.exp(-(along**2 + beside**2) / (2 * width**2)) / (4 * torch.pi * width**2)
    wave = gauss * torch.exp(0.75j * torch.pi * along)
    wave = wave - gauss * wave.sum() / gauss.sum()
    low = torch.exp(-(x**2 + y**2) / (8 * width**2)) / (8 * torch.pi * width**2)

    def convolved(signal, kernel):
        kernel = kernel.flip(0, 1)[None, None].to(signal.dtype)
        return conv2d(signal[None, None], kernel, padding=20)[0, 0]

    image = torch.zeros(48, 48, dtype=torch.float64)
    image[18:28, 18:31] = images(1, (1, 10, 13), dtype=torch.float64)[0, 0]
    direct = convolved(convolved(image.to(wave.dtype), wave).abs(), low)[::4, ::4]
    found = Scattering(48, 48).double()(image[None, None])[0]
    assert torch.allclose(found[3], direct, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found[4], direct, rtol=0.1, atol=1e-3)


def test_scattering_ignores_brightness_and_small_shifts_and_keeps_energy_down():
    transform = Scattering(32, 32)
    flat = transform(torch.full((1, 1, 32, 32), 0.6))
    assert torch.allclose(flat[:, 0], torch.tensor(0.6), atol=1e-3)
    assert flat[:, 1:].abs().max() < 1e-3
    photos = victims.load_data("photos").images[:8]
    moved = photos.roll(1, dims=3)
    here, there = transform(photos), transform(moved)
    of_pixels = (photos - moved).norm() / photos.norm()
    assert (here - there).norm() / here.norm() < 0.6 * of_pixels
    assert 16 * here.square().sum() < photos.square().sum() * 1.1  # one output per 16 pixels


def test_scattering_handles_each_image_on_its_own():
    transform = Scattering(28, 28)
    batch = images(37)
    whole = transform(batch)
    # Not to the last bit: an FFT library may take another path for another number of images.
    assert torch.allclose(whole, torch.cat([transform(part) for part in batch.split(5)]), atol=1e-6)
    alone = torch.func.vmap(lambda image: transform(image[None])[0])(batch)
    assert torch.allclose(alone, whole, atol=1e-6)
    assert transform(batch[:0]).shape == (0, 81, 7, 7)
    assert Scattering(9, 14)(images(0, (3, 9, 14))).shape == transform_shape(9, 14)


def transform_shape(height, width):
    return (0, *Scattering(height, width)(images(1, (3, height, width))).shape[1:])


def test_images_have_first_and_second_derivatives():
    transform = Scattering(8, 8).double()
    weights = images(1, (81, 2, 2), seed=1, dtype=torch.float64)
    image = images(1, (1, 8, 8), dtype=torch.float64).requires_grad_()

    def target(x):
        return (transform(x) * weights).sum() * 10

    assert torch.autograd.gradcheck(target, image, fast_mode=True)
    assert torch.autograd.gradgradcheck(target, image, fast_mode=True)
    mapped = torch.func.vmap(torch.func.grad(lambda x: target(x[None])))(image.detach())
    assert torch.allclose(mapped, torch.autograd.grad(target(image), image)[0])
    black = torch.zeros(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(target(black).square(), black, create_graph=True)
    (second,) = torch.autograd.grad(first.sum() + first.square().sum(), black)
    assert first.isfinite().all()
    assert second.isfinite().all()


def test_kymatio_is_imported_lazily_and_leaves_scipy_as_it_was(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "kymatio"]:
        monkeypatch.delitem(sys.modules, name)
    if hasattr(scipy.special, "sph_harm_y"):  # as in a SciPy that has only this one
        monkeypatch.delattr(scipy.special, "sph_harm", raising=False)
    before = dict(vars(scipy.special))
    fresh = runpy.run_path(victims.models.scattering.__file__)
    assert "kymatio" not in sys.modules
    fresh["scattering2d"]()
    assert "kymatio" in sys.modules
    assert dict(vars(scipy.special)) == before


def test_the_shim_is_the_function_that_scipy_had():
    scattering2d()
    from kymatio.scattering3d.filter_bank import sph_harm

    # Y_2^1, order before degree, at azimuth 0.3 and polar angle 1.1.
    shape = math.sin(1.1) * math.cos(1.1) * cmath.exp(0.3j)
    expected = -math.sqrt(15 / (8 * math.pi)) * shape
    assert complex(sph_harm(1, 2, 0.3, 1.1)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("scatter-linear", GREY, 39_700),
        ("scatter-linear", COLOUR, 155_530),
        ("scatter-cnn", GREY, 33_066),
        ("scatter-cnn", COLOUR, 187_210),
        ("tanh-cnn", GREY, 26_010),
    ],
)
def test_models_have_the_published_sizes(name, shape, parameters):
    model = victims.load_model(name, image_shape=shape)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert all(p.requires_grad for p in model.parameters())
    assert isinstance(model, Featurised) == name.startswith("scatter")
    if isinstance(model, Featurised):
        assert all(key.startswith("head.") for key, _ in model.named_parameters())
        assert torch.equal(model.features[0](images(1, shape)), images(1, shape))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_follow_the_images_and_small_ones_are_refused(name):
    least = 16 if name == "tanh-cnn" else 8
    for shape in ((1, least, least + 5), (2, least + 7, least), (3, least, least)):
        assert victims.load_model(name, image_shape=shape)(images(2, shape)).shape == (2, 10)
    with pytest.raises(BadInput, match=f"cannot be built: images must be at least {least}x{least}"):
        victims.load_model(name, image_shape=(1, least - 1, 32))


@pytest.mark.parametrize("shape", [GREY, COLOUR])
@pytest.mark.parametrize("name", NAMES)
def test_per_example_gradients_equal_a_loop_also_on_precomputed_features(name, shape):
    model = victims.load_model(name, image_shape=shape)
    batch, labels = images(3, shape), torch.tensor([1, 5, 8])
    found = victims.per_example_gradients(model, cross_entropy, batch, labels)
    for index in range(3):
        loss = cross_entropy(model(batch[index : index + 1]), labels[index : index + 1])
        alone = torch.autograd.grad(loss, list(model.parameters()))
        for (key, _), expected in zip(model.named_parameters(), alone, strict=True):
            assert torch.allclose(found[key][index], expected, rtol=1e-3, atol=1e-6), key
    if isinstance(model, Featurised):
        ready = Featurised(nn.Identity(), model.head)
        features = precompute(model, batch)
        again = victims.per_example_gradients(ready, cross_entropy, features, labels)
        assert again.keys() == found.keys()
        assert all(torch.allclose(again[k], found[k], rtol=1e-3, atol=1e-6) for k in found)


def test_precomputed_features_give_the_same_logits():
    model = victims.load_model("scatter-cnn", image_shape=GREY)
    batch, lines = images(11), []
    features = precompute(model, batch, batch=4, report=lambda *line: lines.append(line))
    assert (features.shape, features.dtype) == ((11, 81, 7, 7), torch.float32)
    assert not features.requires_grad
    assert torch.allclose(model.head(features), model(batch), atol=1e-6)
    assert lines == [("computing features", n, 11) for n in (4, 8, 11)]
    assert precompute(model.double(), batch).dtype == torch.float32
    for bad in ((batch[:0], 4), (batch, 0)):
        with pytest.raises(BadInput, match="at least one image and a batch >= 1"):
            precompute(model, bad[0], batch=bad[1])


def test_features_stay_frozen_while_the_head_trains():
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout())
    model = Featurised(body, nn.Linear(4 * 26 * 26, 10)).train()
    assert model.training
    assert not any(module.training for module in body.modules())
    before = {key: value.clone() for key, value in body.state_dict().items()}
    model(images(5)).sum().backward()
    assert [k for k, p in model.named_parameters() if p.grad is not None] == [
        "head.weight",
        "head.bias",
    ]
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())


@pytest.mark.parametrize("name", ["linear", "lenet", "resnet20-4", "scatter-cnn", "tanh-cnn"])
def test_the_last_layer_split_off_is_the_same_model(name):
    model = victims.load_model(name, image_shape=GREY)
    expected = model(images(3))
    last = split_last(model)
    assert torch.equal(last(images(3)), expected)
    trained = {k: p for k, p in last.named_parameters() if p.requires_grad}
    assert list(trained) == ["head.weight", "head.bias"]
    assert sum(p.requires_grad for p in model.parameters()) == 2
    assert torch.allclose(last.head(precompute(last, images(3))), expected, atol=1e-5)


class Backwards(nn.Sequential):
    def forward(self, x):
        return self[0](self[1](x))


@pytest.mark.parametrize(
    ("model", "end"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Softmax(1)), "Softmax"),
        (nn.Sequential(nn.Flatten(), nn.Sequential()), "Sequential"),
        (Backwards(nn.Flatten(), nn.Linear(4, 2)), "Backwards"),
    ],
)
def test_a_model_that_ends_otherwise_is_not_split(model, end):
    with pytest.raises(BadInput, match=f"this model ends in {end}"):
        split_last(model)
    assert all(p.requires_grad for p in model.parameters())
