"""Frozen networks that turn images into features, one source a file."""

from victims.transfer.backbones.backbone import Backbone
from victims.transfer.backbones.load import NAMES, load_backbone

__all__ = ["NAMES", "Backbone", "load_backbone"]
