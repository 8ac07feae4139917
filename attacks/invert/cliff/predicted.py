"""What counting equations predicts of a model: the rates at which they run out, and the PSNR."""

from __future__ import annotations

from dataclasses import dataclass

import torch

import victims
from attacks.invert.peeling.cliff import Cliff, Picture, update_cliff
from attacks.invert.peeling.layer_cliffs import cliffs
from attacks.invert.peeling.rules.contract import NoRule
from attacks.invert.peeling.trace import read_graph
from reports.charts.run_outs import RunOut
from reports.records import Record
from reports.scores import SCORES

STEPS = 200
"""Of the predicted line."""


@dataclass(frozen=True)
class Prediction:
    """What the count says of one model and one picture, before anything is attacked.

    Attributes:
        layers: of the model, from the logits down; none where a module has no rule.
        picture: what they say of it together.
        coordinates: numbers that the whole update has.
    """

    layers: tuple[Cliff, ...]
    picture: Picture
    coordinates: int

    @classmethod
    def of(cls, record: Record, classes: int) -> Prediction:
        """For the model that a Record names, on images of its truth's shape."""
        channels, height, width = record.arrays["truth"].shape[1:]
        with torch.random.fork_rng(devices=[]):
            model = victims.load_model(
                record.scenario["model"], image_shape=(channels, height, width), classes=classes
            )
        try:
            layers = tuple(cliffs(read_graph(model, (channels, height, width))))
        except NoRule:
            layers = ()
        coordinates = sum(p.numel() for p in model.parameters() if p.requires_grad)
        return cls(layers, Picture(layers, channels * height * width), coordinates)

    @property
    def cliff(self) -> RunOut:
        """Where the picture is lost: by the layer that says as much, or by the whole update."""
        update = self._update
        return RunOut("predicted cliff", *(self.picture.falls or (update.first, update.half)))

    @property
    def run_outs(self) -> tuple[RunOut, ...]:
        """Where equations run out: layers that do so together under one name, the update last.

        A layer that says less than the picture has no cliff, and its rate no beginning.
        """
        groups: dict[float, list[tuple[float, str]]] = {}
        for layer in self.layers:
            first, half = layer.falls
            first = first if layer.values >= self.picture.pixels else half
            if half > 0:
                groups.setdefault(round(half, 3), []).append((first, layer.layers[-1]))
        together = [
            RunOut(_name([title for _, title in found]), min(first for first, _ in found), half)
            for half, found in groups.items()
        ]
        return (*together, self._update)

    def psnr_by_rate(self, guess: float) -> tuple[tuple[float, float], ...]:
        """Drop rate and PSNR where pixels are told one by one and the others are guessed.

        Args:
            guess: PSNR of the auxiliary images' mean, in dB.

        Returns:
            Points of a line; none where no layer is fed with pixels.
        """
        if not self.picture.seen(0.0):
            return ()
        rates = [1 - 10 ** (-4 * k / STEPS) for k in range(STEPS + 1)]
        top = SCORES["psnr"].range[1]
        return tuple((rate, min(top, guess + self.picture.gain(rate))) for rate in rates)

    @property
    def _update(self) -> RunOut:
        rate = update_cliff(self.coordinates, self.picture.pixels)
        return RunOut("whole update", rate, rate)


def _name(titles: list[str]) -> str:
    """Of layers, which are listed from the logits down, by the lowest of them."""
    if len(titles) == 1:
        return f"layer {titles[0]}"
    return f"{len(titles)} layers from {titles[-1]}"
