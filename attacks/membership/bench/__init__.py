"""``python -m attacks.membership.bench``: seconds per shadow model."""
