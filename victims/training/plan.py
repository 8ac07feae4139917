"""From a `Training` and the size of its data to sample rate, steps, noise and what they spend."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import defenses
from defenses import BadInput, Defense, Side
from defenses.privacy.accounting import Spent, gaussian_epsilon, noise_for_epsilon
from defenses.randomness import seed_of
from victims.training.scenario import Training


@dataclass(frozen=True)
class Plan:
    """A `Training` once the size of its data is known.

    Attributes:
        examples: private examples, N.
        sample_rate: batch size / N.
        steps: how many the run has (fewer than asked when the budget ends it).
        per_epoch: steps per epoch, a real number under Poisson sampling.
        defense: with its noise set, and told the sample rate and the masks' shared seed.
        side: what it was told.
        history: what earlier training of the same data has spent.
        cut: whether the budget ends the run early.
        sound: whether the accountants' assumptions were true of the history.
        content: digest of private data, starting weights and public data; "" where unknown.
    """

    training: Training
    examples: int
    sample_rate: float
    steps: int
    per_epoch: float
    defense: Defense
    side: Side
    history: tuple[Spent, ...] = ()
    cut: bool = False
    sound: bool = True
    content: str = ""

    @property
    def holds(self) -> bool:
        """Whether the accountants' assumptions are true of all that epsilon counts."""
        return self.sound and self.training.sampling == "poisson"

    def epoch_ends(self) -> list[int]:
        """Number of steps done when each epoch ends."""
        ends = {
            min(self.steps, max(1, round((e + 1) * self.per_epoch)))
            for e in range(self.training.epochs)
        }
        return sorted(ends | {self.steps})

    def epsilon(self, steps: int, accountant: str | None = None) -> float:
        """What ``steps`` steps and the history have spent; infinite without a guarantee."""
        t = self.training
        if steps == 0 and not self.history:
            return 0.0
        noise = self.defense.effective_noise()
        if noise == 0:  # perhaps a guarantee of another kind than the Gaussian mechanism's
            own = self.defense.epsilon(steps=steps, sample_rate=self.sample_rate, delta=t.delta)
            return math.inf if self.history else own
        return gaussian_epsilon(
            noise,
            steps=steps,
            sample_rate=self.sample_rate,
            delta=t.delta,
            accountant=accountant or t.accountant,
            history=self.history,
        )

    def ledger(self, steps: int) -> list[Spent]:
        """The history of the data after ``steps`` steps, as accountants write it."""
        return [*self.history, (self.defense.effective_noise(), self.sample_rate, steps)]


def plan(
    training: Training, examples: int, history: tuple[Spent, ...] = (), *, sound: bool = True
) -> Plan:
    """Sample rate, steps and noise of a run on ``examples`` private examples; see `Plan`.

    Raises:
        BadInput: a batch larger than the data, an epsilon for a defense that guarantees none,
            or one that is already spent.
    """
    t = training
    if t.batch_size > examples:
        raise BadInput(f"the batch of {t.batch_size} is larger than the {examples} examples")
    rate = t.batch_size / examples
    per_epoch = (
        examples / t.batch_size if t.sampling == "poisson" else float(examples // t.batch_size)
    )
    steps = max(1, round(t.epochs * per_epoch))
    defense = defenses.get(t.defense, **t.defense_options)
    side = Side(sample_rate=rate, mask_seed=seed_of(t.seed, "masks"))
    if t.epsilon is not None and "noise_multiplier" not in t.defense_options:
        defense = _noised(defense, t, steps, rate, history)
    informed = defense.informed(side)
    made = Plan(t, examples, rate, steps, per_epoch, informed, side, history, sound=sound)
    if t.epsilon is None:
        return made
    if made.epsilon(1) > t.epsilon:
        if not math.isfinite(made.epsilon(1)):
            raise BadInput(
                f"defense {t.defense!r} guarantees no epsilon, so --epsilon cannot limit it"
            )
        raise BadInput(
            f"epsilon {t.epsilon:g} is already spent: one more step makes it {made.epsilon(1):.4g}"
        )
    if made.epsilon(steps) <= t.epsilon:
        return made
    low, high = 1, steps  # epsilon(low) is within the budget, epsilon(high) is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if made.epsilon(middle) <= t.epsilon else (low, middle)
    return dataclasses.replace(made, steps=low, cut=True)


def _noised(
    defense: Defense, t: Training, steps: int, rate: float, history: tuple[Spent, ...]
) -> Defense:
    """The defense with the least noise that keeps the whole run within its epsilon."""
    if defenses.with_effective_noise(defense, 1.0) is None or t.epsilon is None:
        raise BadInput(
            f"defense {t.defense!r} guarantees no epsilon, so --epsilon cannot set its noise"
        )
    needed = noise_for_epsilon(
        t.epsilon,
        steps=steps,
        sample_rate=rate,
        delta=t.delta,
        accountant=t.accountant,
        history=history,
    )
    return defenses.with_effective_noise(defense, needed) or defense
