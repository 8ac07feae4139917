"""Defenses that act before the gradient: the victim's side, and the adversary's."""
