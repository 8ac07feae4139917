"""Architectures by name."""

from victims.models.architectures import model_names
from victims.models.load import load_defended, load_model
from victims.models.normalise import Normalise

__all__ = ["Normalise", "load_defended", "load_model", "model_names"]
