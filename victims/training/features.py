"""Computes the frozen features of a run's images, and keeps them for later runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from defenses import BadInput, preprocessing
from reports.commands.progress import Report
from victims.data import Data, digest
from victims.models.frozen import Featurised, precompute
from victims.training.plan import Plan
from victims.training.streams import content_of


@dataclass
class Store:
    """Features that were computed before in this process, by what they were computed from.

    They are large: nothing is kept until `keep` is called.
    """

    keeping: bool = False
    kept: dict[tuple[str, str, str], Tensor] = field(default_factory=dict)

    def keep(self) -> None:
        """Keep features from now on, for runs of the same images under the same frozen layers."""
        self.keeping = True

    def forget(self) -> None:
        """Drop what is kept."""
        self.kept.clear()

    def features(self, name: str, model: Featurised, data: Data, report: Report) -> Tensor:
        """Features (N, ...) of the images of ``data``; ``name`` is the model's."""
        if not self.keeping:
            return precompute(model, data.images, report=report)
        frozen = content_of(repr(model.features), dict(model.features.state_dict()))
        key = name, frozen, digest(data)
        if key not in self.kept:
            self.kept[key] = precompute(model, data.images, report=report)
        return self.kept[key]


STORE = Store()
"""The features of this process."""


def refuse_images_wanted(plan: Plan) -> None:
    """Raise `BadInput` where a run that trains on features asks for something done to images."""
    t = plan.training
    if t.views > 1:
        raise BadInput(f"--views needs a model that sees images; {t.model!r} trains on features")
    if preprocessing.ways(plan.defense) > 1:
        raise BadInput(f"defense {t.defense!r} changes images; {t.model!r} trains on features")
