"""Tells a batch apart by the zeros that a ReLU leaves in the slopes of its examples."""
