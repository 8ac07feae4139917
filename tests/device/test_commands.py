"""A device that is not there is refused in one line, with exit code 2."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from defenses import BadInput
from tests import fresh

COMMANDS = [
    ["victims.bench"],
    ["victims.bench.training"],
    ["victims.reproduce"],
    ["victims.train", "--out", "never"],
    ["attacks.invert", "--out", "never"],
    ["attacks.invert.along", "never"],
    ["attacks.invert.bench"],
    ["attacks.membership", "--out", "never"],
    ["attacks.membership.bench"],
    ["attacks.audit", "--out", "never"],
]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_gpu_that_is_not_there_is_refused(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = import_module(words[0])
    main = getattr(module, "main", None) or import_module(f"{words[0]}.__main__").main
    with pytest.raises(BadInput, match="no CUDA device is there; use auto or cpu"):
        main([*words[1:], "--device", "cuda"])
    assert not list(tmp_path.iterdir())


def test_a_process_says_it_in_one_line(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("the device is there")
    ended = fresh.run("-m", "attacks.invert.bench", "--device", "cuda", code=2)
    assert ended.err == (
        "python -m attacks.invert.bench: --device cuda: no CUDA device is there; use auto or cpu\n"
    )
