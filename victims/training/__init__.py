"""One training from its settings to its Record."""

from victims.training.scenario import Training

__all__ = ["Training"]
