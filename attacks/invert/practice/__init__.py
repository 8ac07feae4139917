"""Attacks tried on the adversary's own images, defended like the victim's."""
