"""How long a study is going to take on this machine: evaluations counted, and one of them timed."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Sequence

import torch

from attacks.invert.adversaries import Adversaries
from attacks.invert.contract import Inversion, Threat
from attacks.invert.images import image_shape
from attacks.invert.learning.evidence import EACH as EACH_LABEL
from attacks.invert.learning.evidence import IMAGES
from attacks.invert.load import Cast
from attacks.invert.matching.gradients import candidate_gradients
from attacks.invert.methods.auto import PRACTICE, Auto
from attacks.invert.methods.lti import Lti
from attacks.invert.methods.prior import Prior
from attacks.invert.pieces import Pieces
from attacks.invert.practice.effort import effort, has_noise
from attacks.invert.scenario import Scenario
from attacks.invert.victim import Victim
from defenses import stream
from reports.records.column import ADAPTIVE, Column

AROUND = 1.3
"""What an evaluation takes with the replay, the prior and the descent around it, over itself."""
EACH = 0.15
"""Seconds that a batch takes beside evaluations: labels, the candidate game, scores."""
TRIED = 3
"""Evaluations that are timed, after one that warms up."""
GRID = 3
"""Weights of the total variation that practice tries."""
BESIDES = 5
"""Evaluations of a descent beside its own: where it stands, what it explains."""
LIGHT = 0.2
"""What one of many gradients that are only looked at takes, beside an evaluation."""
FEW = 10
"""Evaluations that an exact attack stands for: its closed forms are none."""


def seconds_of(
    scenario: Scenario,
    cast: Cast,
    adversaries: Adversaries,
    pieces: Pieces,
    columns: Iterable[Column],
) -> float:
    """About how many seconds the batches take that are not finished.

    Naive adversaries practise once, see `Adversaries.practise`.
    """
    total, batches, practised = 0, 0, set[Column]()
    for column in columns:
        left = sum(pieces.load(column, index) is None for index in range(scenario.batches))
        victim, threat = cast.victims[column.defense], adversaries.of(column).threat
        practice, each = evaluations(adversaries.attack, victim, threat)
        total += left * scenario.batch * each
        batches += left
        habit = column if column.adaptive else Column("none", ADAPTIVE)
        if left and habit not in practised:
            practised.add(habit)
            total += practice
    evaluation = seconds_of_evaluation(victim, image_shape(cast.private))
    return AROUND * total * evaluation + EACH * batches


def evaluations(attack: Inversion, victim: Victim, threat: Threat) -> tuple[int, int]:
    """About how many gradients practice takes, and then each image.

    Counted as `attacks.invert.methods.auto.Auto` counts: where something exact applies, it is
    taken to succeed, and one who ignores the defense to go down the whole list; else an adversary
    who replays the defense to stop after its first optimiser, and one who ignores it after a
    brief run.

    Args:
        attack: of the study.
        victim: that is attacked.
        threat: of the column.
    """
    if isinstance(attack, Lti):
        return _of_learning(attack, victim, threat)
    if not isinstance(attack, Auto):
        return 0, threat.allowed(int(getattr(attack, "iterations", FEW)))
    noisy = has_noise(threat)
    most = threat.allowed(effort(attack.iterations, threat))
    few = int(PRACTICE * threat.allowed(attack.iterations)) + BESIDES
    exact = not noisy and any(not a.refusal(victim.model, threat) for a in attack.exact)
    kinds = [a for a in attack.plan if not isinstance(a, Prior)]
    tried = [a for a in kinds if not a.refusal(victim.model, threat)]
    runs = 1 if exact else len(tried) + (0 if noisy else GRID)
    practice = attack.practice * runs * (FEW if exact else few)
    turns = 1 if threat.adaptive else len(tried)
    each = FEW if exact and threat.adaptive else sum((most >> t) + BESIDES for t in range(turns))
    if not (exact or threat.adaptive) and threat.evaluations is None:
        each = few
    return practice * threat.batch_size, each


def _of_learning(attack: Lti, victim: Victim, threat: Threat) -> tuple[int, int]:
    """See `evaluations`: what is learned once is of every label, with the equations to solve."""
    learned = min(attack.learn, len(threat.learning))
    own = threat.allowed(attack.iterations) + BESIDES
    draw = stream(0, "cost")
    if attack.common_view(victim.model, victim.loss, threat, generator=draw) is not None:
        return threat.classes * learned, own
    return 0, own + int(LIGHT * (learned + max(IMAGES, EACH_LABEL * threat.classes)))


def seconds_of_evaluation(victim: Victim, image_shape: Sequence[int]) -> float:
    """Seconds of one evaluation of one image: its gradient, and that by the image, in float64."""
    model = copy.deepcopy(victim.model).double()
    device = next(model.parameters()).device
    label = torch.zeros(1, dtype=torch.int64, device=device)
    spent = []
    for _ in range(1 + TRIED):
        began = time.perf_counter()
        image = torch.full((1, *image_shape), 0.5, dtype=torch.float64, device=device)
        image.requires_grad_()
        grads = candidate_gradients(model, victim.loss, image, label, differentiable=True)
        total = torch.stack([g.square().sum() for g in grads.values()]).sum()
        float(torch.autograd.grad(total, image)[0].sum())  # waits for a GPU
        spent.append(time.perf_counter() - began)
    return min(spent[1:])
