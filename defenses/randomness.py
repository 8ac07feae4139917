"""Explicit generators: one stream per purpose, so that the same seed gives the same record."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

WORDS = 624
"""The state of a Mersenne Twister (Matsumoto and Nishimura 1998), 32-bit words."""
HEAD_BYTES = 24
"""torch keeps a seed and two counters before these words, each in 8 bytes of its own."""
CUDA_BITS = 63
"""Generators on a GPU are keyed by one number of this many bits."""


def stream(seed: int, *names: object) -> torch.Generator:
    """The CPU generator of one purpose, independent of every other purpose under the same seed.

    Its whole state, 19,968 bits, comes from SHAKE-256 of seed and names. ``manual_seed`` would
    keep 32 of them: few enough to try them all against one noisy release, and few enough for two
    purposes of one run to share a stream.

    Args:
        seed: an integer of any size.
        names: of the purpose; two that are written alike are the same.
    """
    return _keyed_generator(_text(seed, names))


def seed_of(seed: int, *names: object) -> int:
    """The seed, in [0, 2^128), of something that has streams of its own under ``seed``."""
    return int.from_bytes(hashlib.shake_256(b"seed" + _text(seed, names)).digest(16), "big")


def child(generator: torch.Generator) -> torch.Generator:
    """A new CPU generator keyed by 496 bits of ``generator``, for a stream that must stay apart."""
    drawn = torch.randint(2**62, (8,), generator=generator, device=generator.device)
    return _keyed_generator(json.dumps(drawn.tolist()).encode())


@contextmanager
def seeded(generator: torch.Generator) -> Iterator[None]:
    """While this lasts the global generators draw as ``generator`` says; then as if never used.

    For code that is not ours and draws where it likes: layers that initialise themselves,
    dropout, a user's model. Covers torch's generators on the CPU and on GPUs in use, numpy's
    and Python's.

    Args:
        generator: moves on by one draw of `child`.
    """
    own = child(generator)
    numbers = torch.randint(2**62, (16,), generator=own).tolist()
    before = np.random.get_state(), random.getstate()  # noqa: NPY002  (foreign code uses it)
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        torch.set_rng_state(own.get_state())
        if devices:
            torch.cuda.manual_seed_all(numbers[0] % 2**CUDA_BITS)
        np.random.seed([n % 2**32 for n in numbers])  # noqa: NPY002
        random.seed(json.dumps(numbers))
        try:
            yield
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])


def _text(seed: int, names: tuple[object, ...]) -> bytes:
    return json.dumps([int(seed), *map(str, names)]).encode()


def _keyed_generator(text: bytes) -> torch.Generator:
    """A generator whose words are SHAKE-256 of ``text``."""
    made = torch.Generator()
    state: Tensor = made.manual_seed(0).get_state()  # what is not a word is as after a seed
    words = np.frombuffer(hashlib.shake_256(text).digest(4 * WORDS), "<u4").astype("<u8")
    state[HEAD_BYTES : HEAD_BYTES + 8 * WORDS] = torch.from_numpy(words.view(np.uint8))
    made.set_state(state)
    return made
