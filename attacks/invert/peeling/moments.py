"""Second moments of a convolution's input and of its slopes, summed over what a mask shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from attacks.invert.peeling.top import Top


@dataclass(frozen=True)
class Moments:
    """What the gradient of a top convolution asks of two unknowns, each known up to an error.

    Attributes:
        top: what the release says; of one example.
    """

    top: Top

    @cached_property
    def value(self) -> Tensor:
        """(O, I * taps) float32, the gradient in units of `Top.sizes`; 0 where it is not seen."""
        return (self.top.value / self.top.sizes).float()

    @cached_property
    def _seen(self) -> Tensor:
        """(taps, O, I) float32, 1 where the gradient is seen."""
        each = self.top.seen.reshape(len(self.value), self.top.channels, -1)
        return each.permute(2, 0, 1).float().contiguous()

    @cached_property
    def _values(self) -> Tensor:
        """(taps, O, I), the same entries of `value`."""
        each = self.value.reshape(len(self.value), self.top.channels, -1)
        return each.permute(2, 0, 1).contiguous()

    @cached_property
    def _pairs(self) -> Tensor:
        """(2, M) the pairs of looked-at outputs, each once, itself with itself as well."""
        count = len(self.top.places)
        return torch.triu_indices(count, count, device=self.value.device)

    @cached_property
    def _places(self) -> Tensor:
        """(taps, n) the place that each tap sees at each looked-at output; P where none."""
        return self.top.geometry.seen(self.value.device)[self.top.places].T

    def of_patches(self, inputs: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Of the patches at two outputs, over the entries that each channel shows.

        Args:
            inputs: (I, P) float32, the expected input.
            covariance: (I, P, P), of its errors, channel by channel.

        Returns:
            Expected products (O, n, n), and products (O, n) of each patch with the gradient.
        """
        channels, places = inputs.shape
        both = inputs.new_zeros(channels, places + 1, places + 1)
        both[:, :places, :places] = inputs[:, :, None] * inputs[:, None] + covariance
        flat, (first, second) = both.flatten(1), self._pairs
        total = inputs.new_zeros(len(self.value), len(first))
        for seen, place in zip(self._seen, self._places, strict=True):
            total += seen @ flat[:, place[first] * (places + 1) + place[second]]
        count = len(self.top.places)
        products = inputs.new_zeros(len(total), count, count)
        products[:, first, second] = total
        products[:, second, first] = total
        return products, self.value @ self.top.unfold(inputs).T

    def of_slopes(self, opened: Tensor, products: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Of the slopes at the outputs that see two places, over the entries that each input shows.

        Args:
            opened: (O, n) float32, expected slopes.
            products: (O, n, n), expected products of two of them.
            weight: (O,) of each channel's equations.

        Returns:
            Expected products (I, P, P), and products (I, P) of each place with the gradient.
        """
        places, channels = self.top.geometry.places, self.top.channels
        first, second = self._pairs
        flat = (products * weight[:, None, None])[:, first, second]
        total = flat.new_zeros(channels, (places + 1) ** 2)
        pull = flat.new_zeros(channels, places + 1)
        for seen, value, place in zip(self._seen, self._values, self._places, strict=True):
            at = place[first] * (places + 1) + place[second]
            total.index_add_(1, at, seen.T @ flat)
            pull.index_add_(1, place, value.T @ (opened * weight[:, None]))
        square = total.reshape(channels, places + 1, places + 1)[:, :places, :places]
        diagonal = torch.diag_embed(self._own(flat, places))
        return square + square.mT - diagonal, pull[:, :places]

    def _own(self, flat: Tensor, places: int) -> Tensor:
        """(I, P) the share of pairs of an output with itself, which are there once."""
        first, second = self._pairs
        own = flat[:, first == second]
        total = flat.new_zeros(self.top.channels, places + 1)
        for seen, place in zip(self._seen, self._places, strict=True):
            total.index_add_(1, place, seen.T @ own)
        return total[:, :places]
