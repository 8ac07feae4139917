"""Updates captured elsewhere: loaded, attacked, and how much of them a guess explains."""

from attacks.invert.observation.load import load_observation

__all__ = ["load_observation"]
