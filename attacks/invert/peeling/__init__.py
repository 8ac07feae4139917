"""Exact inversion of piecewise linear networks, layer by layer from the logits downwards."""
