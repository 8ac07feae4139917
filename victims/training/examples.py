"""The examples of a run: private ones to train on, others that measure accuracy, public ones."""

from __future__ import annotations

from dataclasses import dataclass

from victims.data import Data, load_data
from victims.data.trust import agree, check
from victims.training.anchors import anchors_of, refuse_private
from victims.training.scenario import Training


@dataclass(frozen=True)
class Examples:
    """What a run is trained on and measured with.

    Attributes:
        train: the private examples.
        test: examples that measure accuracy.
        anchors: public examples, for defenses that learn from some; None where none are wanted.
    """

    train: Data
    test: Data
    anchors: Data | None = None

    @property
    def classes(self) -> int:
        """The number of labels that private examples and tests have together."""
        return max(self.train.classes, self.test.classes)

    def check(self, name: str) -> None:
        """Raise `BadInput` where no run can use them; ``name`` is how the user spells the data."""
        for part in (self.train, self.test):  # handed over or loaded: one door
            check(part, name)
        agree(self.train, self.test, name)
        refuse_private(self.anchors, self.train.images, "the private ones")


def load_examples(training: Training, *, data_root: str | None = None) -> Examples:
    """The examples that a Training names; for ``data_root`` see `victims.load_data`.

    Raises:
        BadInput: a set that cannot be had.
    """
    t = training
    train, test = (
        load_data(t.data, split=split, count=count, root=data_root, size=t.size, seed=t.seed)
        for split, count in (("train", t.count), ("test", None))
    )
    return Examples(train, test, anchors_of(t, data_root=data_root, seed=t.seed))
