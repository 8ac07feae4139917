"""Checks that what is applied to the weights is what the plan accounts for."""

from __future__ import annotations

import copy
import math

import torch

from defenses.conformance.finding import Verdict
from defenses.conformance.limits import most_t, t_statistic
from victims.conformance.loop import Loop, claims, released_sum, take_step, weights_of

STEPS = 24
NONE = torch.zeros(0, dtype=torch.int64)


def releases(loop: Loop) -> Verdict:
    """Each accounted step moves the weights by one release with fresh noise of the full size.

    Steps without any example release noise alone; their squared lengths are compared with those of
    the defense itself, step by step, and their directions with one another.
    """
    trainer = loop.trainer()
    steps = min(STEPS, trainer.plan.steps)
    if not claims(trainer):
        return True, "claims no epsilon"
    noise, excess, moved = [], [], 0
    for step in range(steps):
        before = weights_of(trainer)
        informed = trainer.informed()
        release = take_step(trainer, NONE)
        moved += not torch.equal(before, weights_of(trainer))
        noise.append(released_sum(release))
        alone = informed.release(
            {k: torch.zeros((0, *p.shape)).to(p) for k, p in trainer.parameters.items()},
            step=step,
            steps=trainer.plan.steps,
            batch_size=trainer.plan.training.batch_size,
            generator=loop.generator("alone", step),
        )
        expected = float(released_sum(alone).square().sum())
        if expected == 0:
            return False, f"step {step}: the defense releases no noise for an empty batch"
        excess.append(float(noise[-1].square().sum()) / expected - 1)
    if moved != steps or trainer.step != steps:
        return False, f"the plan accounts {steps} steps; {moved} releases moved the weights"
    if min(excess) < -0.99:
        return False, f"step {excess.index(min(excess))} releases next to no noise"
    size = t_statistic(torch.tensor(excess))
    ratio = 1 + sum(excess) / steps
    if abs(size) > most_t(steps):
        return False, f"the noise has {ratio:.2g} times the power of the defense's (t = {size:.1f})"
    again = torch.stack([a @ b for a, b in zip(noise[::2], noise[1::2], strict=False)])
    repeated = t_statistic(again)
    if abs(repeated) > most_t(len(again)):
        return False, f"noise repeats from step to step: t = {repeated:.3g}"
    return True, f"{steps} steps, {moved} releases, noise power {ratio:.2g} of the defense's"


def sizes(loop: Loop) -> Verdict:
    """Sample rate, batch size, steps and noise do not depend on the number of examples."""
    rate = loop.trainer().plan.sample_rate
    fewer = min(math.ceil(1 / rate), 8, len(loop.inputs) - 1)
    seen: dict[str, object] = {}
    for gone in range(fewer + 1):
        trainer = loop.trainer(keep=len(loop.inputs) - gone)
        plan = trainer.plan
        release = take_step(trainer, NONE)
        facts = {
            "sample rate": plan.sample_rate,
            "number of steps": plan.steps,
            "planned batch size": plan.training.batch_size,
            "noise multiplier": plan.defense.effective_noise(),
            "released batch size": release.public["batch_size"],
            "noise std": release.public["noise_std"],
        }
        for name, value in facts.items():
            if seen.setdefault(name, value) != value:
                values = f"{value:.4g} with {gone} examples fewer, {seen[name]:.4g} with all"
                return False, f"the {name} tells the number of examples: {values}"
    return True, f"the same with up to {fewer} examples fewer"


def obedience(loop: Loop) -> Verdict:
    """The weights follow the release and nothing else that the step has seen."""
    trainer = loop.trainer()
    twin = copy.deepcopy(trainer)
    company = torch.arange(5) % len(loop.inputs)
    for step in range(3):
        release = take_step(trainer, company + step % len(loop.inputs))
        twin.follow(release)
        gap = float((weights_of(trainer) - weights_of(twin)).abs().max())
        if gap > 1e-6 * float(weights_of(twin).abs().max()):
            return False, f"step {step} moves the weights by {gap:.2g} more than its release does"
    return True, "a twin that saw three releases and no data has the same weights"
