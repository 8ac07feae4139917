"""Epsilon of a noise and the noise of an epsilon, for who imports them from here.

>>> from defenses.accounting import gaussian_epsilon
>>> gaussian_epsilon(1.0, steps=1, sample_rate=1, delta=1e-5) > 0
True
"""

from defenses.privacy.accounting import gaussian_epsilon, noise_for_epsilon

__all__ = ["gaussian_epsilon", "noise_for_epsilon"]
