"""Plans a training: sample rate, steps and noise, and the epsilon that they spend."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import defenses
from defenses import BadInput, Defense, Side
from defenses.options import shown_options
from defenses.privacy.accounting import Spent, gaussian_epsilon, noise_for_epsilon
from defenses.randomness import seed_of
from reports.records.training import RunBounds
from victims.training.scenario import Training

ASSUMED = "Poisson sampling, add/remove adjacency"
"""What every accountant assumes of a training."""


@dataclass(frozen=True)
class Plan:
    """A `Training` once the size of its data is known.

    Attributes:
        training: the settings.
        examples: the number of private examples, N.
        sample_rate: batch size / N.
        steps: the number of steps (fewer than asked for when the budget ends the run).
        per_epoch: steps per epoch, a real number under Poisson sampling.
        defense: the defense with its noise set, informed of ``side``.
        side: the sample rate and the masks' shared seed.
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
            if self.history:
                return math.inf
            return self.defense.epsilon(steps=steps, sample_rate=self.sample_rate, delta=t.delta)
        return gaussian_epsilon(
            noise,
            steps=steps,
            sample_rate=self.sample_rate,
            delta=t.delta,
            accountant=accountant or t.accountant,
            history=self.history,
        )

    def options(self) -> dict[str, int | float | str]:
        """The defense's options that are numbers, words or flags, as Records hold them."""
        options = shown_options(self.defense)
        return {k: v for k, v in options.items() if isinstance(v, int | float | str)}

    def bounds(self) -> RunBounds:
        """What an epsilon of the whole run is about, for every Record that states one."""
        return RunBounds(
            delta=self.training.delta,
            steps=self.steps,
            sample_rate=self.sample_rate,
            assumes=ASSUMED,
            holds=self.holds,
        )

    def ledger(self, steps: int) -> list[Spent]:
        """The history of the data after ``steps`` steps, as accountants write it."""
        return [*self.history, (self.defense.effective_noise(), self.sample_rate, steps)]


def make_plan(
    training: Training, examples: int, history: tuple[Spent, ...] = (), *, sound: bool = True
) -> Plan:
    """Find sample rate, steps and noise of a run.

    Args:
        training: the run's settings.
        examples: the number of private examples.
        history: what earlier training of the same data has spent.
        sound: whether the accountants' assumptions were true of that history.

    Raises:
        BadInput: a batch larger than the data, an epsilon for a defense that guarantees none,
            or one that is already spent.
    """
    t = training
    if t.batch_size > examples:
        raise BadInput(
            f"the batch of {t.batch_size} is larger than the {examples} examples: "
            f"--batch-size is {examples} at most"
        )
    rate = t.batch_size / examples
    per_epoch = (
        examples / t.batch_size if t.sampling == "poisson" else float(examples // t.batch_size)
    )
    steps = max(1, round(t.epochs * per_epoch))
    defense = defenses.get(t.defense, **t.defense_options)
    side = Side(sample_rate=rate, mask_seed=seed_of(t.seed, "masks"))
    if t.epsilon is not None and "noise_multiplier" not in t.defense_options:
        defense = _with_noise(defense, t, steps, rate, history)
    informed = defense.informed(side)
    plan = Plan(t, examples, rate, steps, per_epoch, informed, side, history, sound=sound)
    return plan if t.epsilon is None else _within_budget(plan, t.epsilon)


def _within_budget(plan: Plan, epsilon: float) -> Plan:
    """The plan with as many of its steps as the budget pays."""
    name, first = plan.training.defense, plan.epsilon(1)
    if first > epsilon and not math.isfinite(first):
        raise BadInput(f"defense {name!r} guarantees no epsilon, so --epsilon cannot limit it")
    if first > epsilon:
        raise BadInput(f"epsilon {epsilon:g} is already spent: one more step makes it {first:.4g}")
    if plan.epsilon(plan.steps) <= epsilon:
        return plan
    low, high = 1, plan.steps  # epsilon(low) is within the budget, epsilon(high) is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if plan.epsilon(middle) <= epsilon else (low, middle)
    return dataclasses.replace(plan, steps=low, cut=True)


def _with_noise(
    defense: Defense, t: Training, steps: int, rate: float, history: tuple[Spent, ...]
) -> Defense:
    """The defense with the least noise that keeps the whole run within its epsilon."""
    if defenses.with_effective_noise(defense, 1.0) is None or t.epsilon is None:
        raise BadInput(
            f"defense {t.defense!r} guarantees no epsilon, so --epsilon cannot set its noise"
        )
    noise = noise_for_epsilon(
        t.epsilon,
        steps=steps,
        sample_rate=rate,
        delta=t.delta,
        accountant=t.accountant,
        history=history,
    )
    return defenses.with_effective_noise(defense, noise) or defense
