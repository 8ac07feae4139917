"""Digits in parts that have no image in common: ``tests.parts:private`` and ``public``."""

from __future__ import annotations

import torch

from victims.data import Data, load_data

PUBLIC = 300


def private(split: str) -> Data:
    """All but the first 300 of the train split; the whole test split."""
    data = load_data("digits", split=split)
    first = PUBLIC if split == "train" else 0
    return data.take(torch.arange(first, len(data.labels)))


def public(split: str) -> Data:
    """The first 300 of the train split, whichever is asked for."""
    return load_data("digits", split="train").take(torch.arange(PUBLIC))
