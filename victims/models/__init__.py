"""Architectures by name."""

from victims.models.load import Normalise, load_guarded, load_model, model_names

__all__ = ["Normalise", "load_guarded", "load_model", "model_names"]
