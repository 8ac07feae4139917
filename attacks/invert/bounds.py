"""The defenses of a Scenario at its options, and what theory says of them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from scipy.stats import norm

import defenses
from attacks.invert.scenario import Scenario
from defenses import BadInput, Defense
from defenses.registry import shown_options


def build_defenses(scenario: Scenario) -> dict[str, Defense]:
    """The defenses to compare, the one under study last, all at the same options and epsilon."""
    main = defenses.get(scenario.defense, **scenario.defense_options)
    options = shown_options(main)
    shields = {}
    for name in (*(n for n in scenario.against if n != scenario.defense), scenario.defense):
        fields = {f.name for f in dataclasses.fields(defenses.registry.find(name))}
        shields[name] = defenses.get(name, **{k: v for k, v in options.items() if k in fields})
    if scenario.epsilon is None:
        return shields
    noise = defenses.noise_for_epsilon(
        scenario.epsilon, steps=1, sample_rate=1, delta=scenario.delta
    )
    for name, shield in shields.items():
        loud = defenses.with_effective_noise(shield, noise)
        if loud is not None:
            shields[name] = loud
        elif name == scenario.defense:
            raise BadInput(f"defense {name!r} guarantees no epsilon, so --epsilon cannot set it")
    return shields


def guarantee(shield: Defense, delta: float, candidates: int | None = None) -> dict[str, Any]:
    """What theory says of one release: epsilon (None: infinite) and the candidate bounds.

    Args:
        shield: the defense.
        delta: of the guarantee, in (0, 1).
        candidates: N of the game that was played (`attacks.invert.candidates`); None: none was.

    Returns:
        ``options``, ``epsilon``, ``delta``, ``candidates``; ``top1_of_1000`` and ``top1``, the
        bounds of `named_at_most` for 1,000 and for N candidates (None without N).
    """
    options = {f.name: getattr(shield, f.name) for f in dataclasses.fields(shield)}
    epsilon = shield.epsilon(steps=1, sample_rate=1, delta=delta)
    noise = shield.effective_noise() if math.isfinite(epsilon) else 0.0
    return {
        "options": {k: v for k, v in options.items() if isinstance(v, int | float | str)},
        "epsilon": epsilon if math.isfinite(epsilon) else None,
        "delta": delta,
        "top1_of_1000": named_at_most(1000, noise),
        "candidates": candidates,
        "top1": None if candidates is None else named_at_most(candidates, noise),
    }


def named_at_most(candidates: int, noise: float) -> float:
    """How often any attack names the right one of N equally likely candidates, at most.

    Phi(Phi^-1(1/N) + 1/sigma) (Hayes et al. 2023, Theorem 2 at full batch and one step), sigma
    the noise std over the sensitivity; 1 without noise.
    """
    return float(norm.cdf(norm.ppf(1 / candidates) + 1 / noise)) if noise > 0 else 1.0
