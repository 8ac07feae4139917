"""Heads by other libraries on the same features, to put beside those of this project."""
