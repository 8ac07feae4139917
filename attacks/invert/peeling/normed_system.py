"""What a group normalised convolution and its weight's gradient say of what it was fed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from attacks.invert.peeling.rules.convolution import Convolution
from attacks.invert.peeling.rules.group_norm import GroupNorm


@dataclass(frozen=True)
class Problem:
    """A convolution, a group normalisation after it, and what is known of both.

    Attributes:
        rule: of the convolution.
        bias: (O,) float64, its own.
        norm: of what comes after it.
        gradient: (O, I, rows, columns) float64 of its weight.
        output: (1, O, h, w) float64, of the normalisation.
        known: (1, O, h, w) bool, where `output` is not hidden by a ReLU.
        slope: (1, O, h, w) float64 of the loss at `output`.
    """

    rule: Convolution
    bias: Tensor
    norm: GroupNorm
    gradient: Tensor
    output: Tensor
    known: Tensor
    slope: Tensor


class System:
    """Residuals of a `Problem` in (input, deviations, means), and how they change with these.

    What the convolution gives is linear in all three where it is known; its weight's gradient,
    times the deviation, is bilinear in the input and in what a ReLU has hidden.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = p = problem
        self.biased = bool(p.bias.any())
        self.outputs, self.channels = p.rule.weight.shape[:2]
        self.inputs = self.channels * p.rule.geometry.places
        groups = torch.arange(p.norm.groups, device=p.slope.device)
        self.of = groups.repeat_interleave(self.outputs // p.norm.groups)
        self.one = F.one_hot(self.of, p.norm.groups).to(p.slope)
        flat = (self.outputs, -1)
        self.known = p.known.reshape(flat)
        self.normal = p.norm.normal(p.output).reshape(flat)
        self.edge = p.norm.normal(torch.zeros_like(p.output)).reshape(flat)
        self.sign = p.norm.weight.sign().to(p.slope).reshape(-1, 1)
        eye = torch.eye(self.inputs, dtype=p.slope.dtype, device=p.slope.device)
        shape = (-1, self.channels, *p.rule.geometry.size)
        self.each = p.rule.push(eye.reshape(shape)).flatten(2).permute(1, 2, 0)
        weighted = (p.slope * p.norm.weight.to(p.slope)).reshape(flat)
        self.share = self._mean(weighted * torch.where(self.known, self.normal, 0.0))
        self.told = p.gradient.flatten(2)
        self.weight = float(
            (self.each.square().sum((0, 1)).mean()).sqrt()
            / p.rule.system(p.slope).square().sum(0).mean().sqrt().clamp(min=1e-300)
        )

    def _mean(self, values: Tensor) -> Tensor:
        """(O, 1) the mean over the group of each channel."""
        each = self.one.T @ values.mean(1) / (self.outputs // self.one.shape[1])
        return each[self.of][:, None]

    def at_first(self, beyond: float) -> Tensor:
        """(O, n) normal, if hidden entries are so many deviations below 0."""
        return torch.where(self.known, self.normal, self.edge - beyond * self.sign)

    def seen(self, point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(O, n) what the convolution gives, the same normalised, and which entries it moves."""
        deviation, mean = self.scales(point)
        given = self.each @ point[: self.inputs] + self.problem.bias[:, None]
        free = (given - mean) / deviation
        moves = ~self.known & (self.sign * free < self.sign * self.edge)
        hidden = torch.where(moves, free, self.edge)
        return given, torch.where(self.known, self.normal, hidden), moves

    def scales(self, point: Tensor) -> tuple[Tensor, Tensor]:
        """(O, 1) deviation and mean of each channel's group."""
        deviation, mean = point[self.inputs :].chunk(2)
        return deviation[self.of][:, None], mean[self.of][:, None]

    def matrix(self, normal: Tensor) -> Tensor:
        """(O, taps, P) of the gradient in each input channel, times the deviation."""
        p = self.problem
        slope = p.norm.pull_at(p.slope, normal.reshape(p.slope.shape))
        return p.rule.system(slope).reshape(self.outputs, -1, p.rule.geometry.places)

    def residuals(self, point: Tensor) -> Tensor:
        """(rows,) of what is known of the output, then of the weight's gradient."""
        deviation, mean = self.scales(point)
        given, normal, _ = self.seen(point)
        fed = point[: self.inputs].reshape(self.channels, -1)
        first = (given - deviation * self.normal - mean)[self.known]
        second = torch.einsum("otp,ip->oit", self.matrix(normal), fed)
        second = second - self.told * deviation[:, :, None]
        return torch.cat([first, self.weight * second.flatten()])

    def jacobian(self, point: Tensor, normal: Tensor, moves: Tensor) -> Tensor:
        """(rows, inputs + 2 G), of `residuals` where hidden entries are these."""
        p, size, places = self.problem, len(point), self.problem.rule.geometry.places
        deviation, _ = self.scales(point)
        one = self.one[:, None, :].expand(-1, self.known.shape[1], -1)
        first = torch.cat([self.each, -one * self.normal[..., None], -one], 2)[self.known]
        second = first.new_zeros(self.outputs, self.channels, self.told.shape[2], size)
        matrix = self.matrix(normal)
        for i in range(self.channels):
            second[:, i, :, i * places : (i + 1) * places] = matrix
        second[..., self.inputs : self.inputs + self.one.shape[1]] = (
            -self.told[..., None] * self.one[:, None, None, :]
        )
        fed = point[: self.inputs].reshape(1, self.channels, *p.rule.geometry.size)
        patches = p.rule.geometry.unfold(fed)[0].T
        # d normal = (each d fed - normal d deviation - d mean) / deviation, where it moves.
        factor = -self.share / deviation * moves
        inner = torch.cat([self.each, -one * normal[..., None], -one], 2) * factor[..., None]
        second += (patches @ inner).reshape(second.shape)
        return torch.cat([first, self.weight * second.flatten(0, 2)])
