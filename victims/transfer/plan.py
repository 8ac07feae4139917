"""Plans a head: the noise of its releases, and the epsilon that they spend."""

from __future__ import annotations

import math
from dataclasses import dataclass

from defenses import BadInput
from defenses.options import shown_options
from defenses.privacy.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.privacy.full_batch import epsilon_of_mu, mu_of_releases, noise_of_epsilon
from reports.records.training import RunBounds
from victims.transfer.contract import Method, registry
from victims.transfer.scenario import Transfer

FULL = "every example in every release, add/remove adjacency"
SAMPLED = "Poisson sampling, add/remove adjacency"
"""What the account assumes."""


@dataclass(frozen=True)
class Plan:
    """A `Transfer` once the size of its data is known.

    Attributes:
        transfer: the settings.
        method: with its options.
        examples: the number of private examples, which is public.
        sample_rate: the probability with which each of them is in a release.
        noise: the noise multiplier of every release.
    """

    transfer: Transfer
    method: Method
    examples: int
    sample_rate: float
    noise: float

    @property
    def releases(self) -> int:
        """How many there are."""
        return self.method.releases()

    @property
    def mu(self) -> float | None:
        """Of all releases together, as Gaussian differential privacy; None where some sample."""
        if self.sample_rate < 1:
            return None
        return mu_of_releases([self.noise] * self.releases)

    def epsilon(self, accountant: str = "prv") -> float:
        """What all releases spend, exactly where none samples; infinite without noise."""
        return gaussian_epsilon(
            self.noise,
            steps=self.releases,
            sample_rate=self.sample_rate,
            delta=self.transfer.delta,
            accountant=accountant,
        )

    def zcdp_epsilon(self) -> float | None:
        """The same by the paper's looser conversion; None where some release samples."""
        mu = self.mu
        return None if mu is None else epsilon_of_mu(mu, self.transfer.delta, "zcdp")

    def options(self) -> dict[str, int | float | str]:
        """The method's options, and the noise that was found for it, as Records hold them."""
        return {**shown_options(self.method), "noise_multiplier": self.noise}

    def bounds(self) -> RunBounds:
        """What an epsilon of all releases is about, for every Record that states one."""
        return RunBounds(
            delta=self.transfer.delta,
            steps=self.releases,
            sample_rate=self.sample_rate,
            assumes=self.assumes,
            holds=True,
        )

    @property
    def assumes(self) -> str:
        """What must be true for these epsilons to be guarantees."""
        return FULL if self.sample_rate == 1 else SAMPLED


def make_plan(transfer: Transfer, examples: int) -> Plan:
    """Find the noise of a head.

    Raises:
        BadInput: an unknown method or option, a batch larger than the data, an epsilon that no
            noise gives, or a conversion that says nothing of the method.
    """
    t, method = transfer, registry.get(transfer.method, **transfer.options)
    rate = method.sample_rate(examples)
    if rate < 1 and t.conversion != "exact":
        raise BadInput(f"conversion {t.conversion} is of full-batch methods; {t.method} samples")
    if t.epsilon is None:
        noise = t.noise_multiplier or 0.0
    elif rate == 1:
        noise = noise_of_epsilon(
            t.epsilon, delta=t.delta, releases=method.releases(), conversion=t.conversion
        )
    else:
        noise = noise_for_epsilon(
            t.epsilon,
            steps=method.releases(),
            sample_rate=rate,
            delta=t.delta,
            accountant="prv",
        )
    assert math.isfinite(noise)
    return Plan(t, method, examples, rate, noise)
