"""``python -m victims.bench``: what a step of DP training costs."""
