"""A user's own model in every form that people have, and weights as training leaves them."""

from __future__ import annotations

import sys
import types

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import victims
from defenses import BadInput

SHAPE = (1, 8, 8)


class Net(nn.Module):
    """Both arguments may be left out, and neither is an image's shape."""

    def __init__(self, channels=1, classes=10):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, classes))

    def forward(self, images):
        return self.layers(images)


def of_both(image_shape, classes):
    return Net(image_shape[0], classes)


def of_nothing():
    return Net()


def of_three(a, b, c):
    return Net()


def broken(image_shape=None, classes=None):
    raise RuntimeError("both ways" if image_shape else "no way")


ready = Net()


@pytest.fixture
def load():
    def made(name, **given):
        return victims.load_model(f"{__name__}:{name}", image_shape=SHAPE, **given)

    return made


@pytest.mark.parametrize("name", ["Net", "of_both", "of_nothing", "ready"])
def test_a_module_a_class_and_a_factory_are_models(load, name):
    assert load(name)(torch.rand(2, *SHAPE)).shape == (2, 10)


def test_an_instance_keeps_its_weights(load):
    made = load("ready")
    assert made.layers[1].weight.equal(ready.layers[1].weight)
    assert made is not ready
    assert type(ready) is Net  # it is somebody's object


def test_the_signature_is_shown_where_none_fits(load):
    with pytest.raises(BadInput, match=r"def net\(image_shape: tuple.*classes: int\) -> nn"):
        load("of_three")
    with pytest.raises(BadInput, match="cannot be built: both ways; without arguments: no way"):
        load("broken")


@pytest.mark.parametrize("before", ["", "_module.", "module.", "_orig_mod.", "_module._orig_mod."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_fit_whatever_wrapped_their_model(load, tmp_path, before, suffix):
    state = {before + name: value.clone() for name, value in ready.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": state}, path)
    else:
        save_file(state, path)
    assert load("of_both", weights=path).layers[1].weight.equal(ready.layers[1].weight)


def test_a_pickle_of_more_than_tensors_is_not_run(load, tmp_path):
    torch.save(ready, tmp_path / "whole.pt")
    with pytest.raises(BadInput, match=r"more than a state dict.*model\.state_dict\(\), path"):
        load("of_both", weights=tmp_path / "whole.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(BadInput, match="is no state dict"):
        load("of_both", weights=tmp_path / "list.pt")


def test_weights_of_another_model_are_refused(load, tmp_path):
    save_file({"module.other": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(BadInput, match="does not fit"):
        load("of_both", weights=tmp_path / "w.safetensors")


def test_torchvision_has_models_by_name(tmp_path):
    model = victims.load_model("torchvision:shufflenet_v2_x0_5", classes=7)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 7)
    state = {k: 0.5 * v for k, v in model[1].state_dict().items() if v.is_floating_point()}
    state = {**model[1].state_dict(), **state}
    save_file({k: v.clone() for k, v in state.items()}, tmp_path / "w.safetensors")
    other = victims.load_model(
        "torchvision:shufflenet_v2_x0_5", classes=7, weights=tmp_path / "w.safetensors"
    )
    assert other[1].fc.bias.equal(state["fc.bias"])
    with pytest.raises(BadInput, match="no classifier 'resnet'; did you mean resnet"):
        victims.load_model("torchvision:resnet")


@pytest.mark.parametrize(("zoo", "package"), [("timm", "timm"), ("hf", "transformers")])
def test_a_missing_package_is_one_line_that_gets_it(monkeypatch, zoo, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=f"needs {package}: pip install {package}"):
        victims.load_model(f"{zoo}:some")


def test_timm_builds_for_the_images_it_gets(monkeypatch):
    made = types.ModuleType("timm")
    made.list_models = lambda: ["small"]
    made.create_model = lambda name, pretrained, num_classes, in_chans: Net(in_chans, num_classes)
    monkeypatch.setitem(sys.modules, "timm", made)
    assert victims.load_model("timm:small", image_shape=SHAPE)(torch.rand(1, *SHAPE)).shape[1] == 10
    with pytest.raises(BadInput, match="no network 'smal'; did you mean small"):
        victims.load_model("timm:smal")
