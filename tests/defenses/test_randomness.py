"""Streams are keyed by more than anyone can try, and nothing outside them moves."""

import random
from itertools import pairwise

import numpy as np
import torch

from defenses import stream
from defenses.randomness import HEAD_BYTES, WORDS, child, seed_of, seeded


def words(generator: torch.Generator) -> torch.Tensor:
    return generator.get_state()[HEAD_BYTES : HEAD_BYTES + 8 * WORDS].clone().view(torch.int64)


def test_a_stream_is_the_mersenne_twister_that_its_words_are():
    made = stream(3, "noise", 5)
    twister = np.random.MT19937()
    state = twister.state
    state["state"] = {"key": words(made).numpy().astype(np.uint32), "pos": WORDS}
    twister.state = state
    # Of each 32-bit number torch keeps the lowest 24 bits for a float.
    drawn = torch.rand(1000, generator=made).double().numpy()
    assert np.array_equal(drawn, (twister.random_raw(1000) & (2**24 - 1)) / 2**24)


def test_equal_names_give_equal_streams_and_others_do_not():
    assert torch.equal(words(stream(0, "a", 1)), words(stream(0, "a", "1")))
    seen = {
        words(made).numpy().tobytes()
        for made in (stream(0, "a"), stream(1, "a"), stream(0, "b"), stream(0, "a", 1), stream(-1))
    }
    assert len(seen) == 5


def test_the_two_streams_that_used_to_be_one_differ():
    """Seed 6: both names had the same low 32 bits."""
    assert not torch.equal(
        torch.randn(8, generator=stream(6, "target", 685)),
        torch.randn(8, generator=stream(6, "shadow", 11, 1182)),
    )


def test_no_seed_of_32_bits_gives_a_stream():
    """`manual_seed` fills word k from word k - 1; SHAKE's words do not follow that rule."""
    found = words(stream(0, "noise")).numpy().astype(object)
    follows = [
        (1812433253 * (int(a) ^ (int(a) >> 30)) + k) % 2**32 == int(b)
        for k, (a, b) in enumerate(pairwise(found), start=1)
    ]
    assert not any(follows)
    seeded_by_number = words(torch.Generator().manual_seed(2**40 + 9))
    assert torch.equal(seeded_by_number, words(torch.Generator().manual_seed(9)))  # the fault


def test_a_seed_may_be_of_any_size():
    big = seed_of(0, "model", 3)
    assert 2**64 < big < 2**128 and big == seed_of(0, "model", 3) != seed_of(0, "model", 4)
    assert not torch.equal(words(stream(big)), words(stream(big % 2**64)))


def test_children_differ_and_move_their_parent():
    parent = stream(1, "parent")
    first, second = child(parent), child(parent)
    assert not torch.equal(words(first), words(second))
    assert torch.equal(words(first), words(child(stream(1, "parent"))))


def test_noise_is_standard_normal():
    drawn = torch.cat([torch.randn(16, generator=stream(0, "n", i)) for i in range(4000)]).double()
    assert abs(float(drawn.mean())) < 4 / len(drawn) ** 0.5
    assert abs(float(drawn.var()) - 1) < 4 * (2 / len(drawn)) ** 0.5


def test_global_generators_draw_as_told_and_are_put_back():
    def draws() -> list[float]:
        return [float(torch.rand(())), float(np.random.rand()), random.random()]  # noqa: NPY002

    before = torch.get_rng_state(), np.random.get_state()[1].tobytes(), random.getstate()  # noqa: NPY002
    with seeded(stream(0, "x")):
        first = draws()
    after = torch.get_rng_state(), np.random.get_state()[1].tobytes(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]
    draws()
    with seeded(stream(0, "x")):
        assert draws() == first
    with seeded(stream(0, "y")):
        assert all(a != b for a, b in zip(draws(), first, strict=True))
