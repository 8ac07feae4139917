"""Private images by name."""

from victims.data.data import BUILT_IN, TORCHVISION, Data, digest, whole
from victims.data.load import load_data

__all__ = ["BUILT_IN", "TORCHVISION", "Data", "digest", "load_data", "whole"]
