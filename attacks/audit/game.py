"""One training with canaries inside: what the adversary of an audit gets to see of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from attacks.audit.canaries import Canaries
from attacks.audit.exam import Exam
from attacks.membership.shadows import logits
from defenses import BadInput, Release, Summed, stream
from victims.data import Data, load_data
from victims.planning import Plan, plan
from victims.preparing import prepare
from victims.trainer import Trainer

LOOKS = 12
"""Points of a run at which the scores so far are kept, to draw audited against claimed epsilon."""
Report = Callable[[str, int, int], None]


@dataclass
class Seen:
    """What one run gave.

    Attributes:
        inserted: (m,) bool, the truth.
        scores: (looks, m) float64, higher = more likely inserted, at each of ``steps``.
        steps: (looks,) steps done.
    """

    inserted: Tensor
    scores: Tensor
    steps: list[int]


@dataclass
class Course:
    """Where a run stands, and how to keep it.

    Attributes:
        load: gives what `save` was last given, or None.
        save: keeps tensors by name.
        every: steps between two savings.
    """

    load: Callable[[], dict[str, Tensor] | None] = lambda: None
    save: Callable[[dict[str, Tensor]], None] = lambda kept: None
    every: int = field(default=10**9)


def planned(exam: Exam) -> Plan:
    """The plan of the audited training; its size counts half of the canaries.

    The sample rate and the noise follow from this number, not from the coins, which are secret.
    """
    count = exam.training.count
    if count is None:
        raise BadInput("an audit needs --count: the training's examples besides the canaries")
    return plan(exam.training, count + exam.canaries // 2)


def play(
    exam: Exam,
    *,
    run: int = 0,
    made: Plan | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
    course: Course | None = None,
) -> Seen:
    """Train once with canaries, and score them.

    Args:
        exam: what is audited, and how.
        run: which of its independent trainings.
        made: see `planned`; None makes it.
        trainer: builds the trainer from a `Trainer`'s arguments; another than `Trainer` audits
            a training loop that is not ours.
        device: where it is trained.
        data_root: see `victims.load_data`.
        report: told of progress.
        course: keeps a run that is interrupted.

    Raises:
        BadInput: it cannot be played; one line.
    """
    made = made or planned(exam)
    t = dataclasses.replace(exam.training, seed=_seed(exam, run))
    side = dataclasses.replace(made.side, mask_seed=stream(t.seed, "masks").initial_seed())
    made = dataclasses.replace(
        made, training=t, side=side, defense=made.defense.informed(side), history=()
    )
    if exam.white_box:
        return _white_box(exam, made, trainer, device, data_root, report, course or Course())
    return _black_box(exam, made, trainer, device, data_root, report)


def _white_box(
    exam: Exam,
    made: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
    course: Course,
) -> Seen:
    """Gradient canaries join the batches; the adversary sees all releases."""
    t = made.training
    shield = made.defense
    holder: list[Canaries] = []
    private = load_data(
        t.data, split="train", count=t.count, root=data_root, size=t.size, seed=exam.seed
    )
    prepared = prepare(
        t,
        device=device,
        private=private,
        test=private,
        data_root=data_root,
        made=made,
        trainer=trainer,
        joined=lambda index: holder[0].gradients(index),
    )
    victim = prepared.trainer
    canaries = Canaries(
        victim.parameters,
        count=exam.canaries,
        kind=exam.canary,
        length=exam.length * float(getattr(shield, "clip", 1.0)),
        sample_rate=made.sample_rate,
        seed=t.seed,
    )
    holder.append(canaries)
    examples = len(private.labels) + int(canaries.inserted.sum())
    victim.plan = dataclasses.replace(victim.plan, examples=examples)
    looks = looked_at(made.steps)
    found: list[Tensor] = []
    kept = course.load()
    if kept is not None:
        canaries.scores = kept.pop("audit.scores")
        found = list(kept.pop("audit.found"))
        victim.load(kept)
    while victim.step < made.steps:
        believed, weights, index = victim.informed(), victim.weights(), victim.sample()
        release = victim.advance()
        others = None
        if isinstance(believed, Summed):  # what a batch gives is the sum of what its examples give
            own = index[index < len(victim.inputs)]
            others = given(victim, own, weights, believed, release)
        canaries.observe(release, believed, others)
        report("training with canaries", victim.step, made.steps)
        if victim.step in looks:
            found.append(canaries.scores.clone())
        if victim.step % course.every == 0 and victim.step < made.steps:
            told = torch.stack(found) if found else canaries.scores.new_zeros(0, exam.canaries)
            course.save(
                {**victim.state(), "audit.scores": canaries.scores.clone(), "audit.found": told}
            )
    return Seen(canaries.inserted, torch.stack(found), looks)


def given(
    victim: Trainer,
    index: Tensor,
    weights: Mapping[str, Tensor],
    defense: Summed,
    release: Release,
) -> dict[str, Tensor]:
    """What examples that are no canaries gave to a release.

    Differential privacy lets its adversary know them, and who of them was sampled.

    Args:
        victim: in training.
        index: (k,) their places among the inputs.
        weights: those that the release was made at.
        defense: as the adversary believes it to be.
        release: whose public plan, such as a mask, is followed.
    """
    now = victim.weights()
    victim.put(weights)
    total = {k: torch.zeros_like(v) for k, v in weights.items()}
    images, labels = victim.inputs[index], victim.labels[index]
    for part in victim.chunks(images.to(victim.device), labels.to(victim.device)):
        for name, value in defense.replay(part, release).items():
            total[name] += value
    victim.put(now)
    return total


def _black_box(
    exam: Exam,
    made: Plan,
    trainer: Callable[..., Trainer],
    device: str,
    data_root: str | None,
    report: Report,
) -> Seen:
    """Mislabelled examples join the data; the adversary sees the model at some steps."""
    t = made.training
    data = load_data(
        t.data,
        split="train",
        count=int(t.count or 0) + exam.canaries,
        root=data_root,
        size=t.size,
        seed=exam.seed,
    )
    everything = torch.arange(len(data.labels))
    base, others = data.take(everything[: t.count]), data.take(everything[t.count :])
    wrong = torch.randint(1, data.classes, (exam.canaries,), generator=stream(t.seed, "labels"))
    labels = (others.labels + wrong) % data.classes
    inserted = torch.rand(exam.canaries, generator=stream(t.seed, "coins")) < 0.5
    private = Data(
        torch.cat([base.images, others.images[inserted]]),
        torch.cat([base.labels, labels[inserted]]),
        data.classes,
        data.names,
    )
    made = dataclasses.replace(made, examples=len(private.labels))
    asked = Data(others.images, labels, data.classes, data.names)
    prepared = prepare(
        t,
        device=device,
        private=private,
        test=asked,
        data_root=data_root,
        made=made,
        trainer=trainer,
    )
    victim = prepared.trainer
    looks = looked_at(made.steps)
    found = []
    while victim.step < made.steps:
        victim.advance()
        report("training with canaries", victim.step, made.steps)
        if victim.step in looks:
            found.append(_leaning(logits(victim, others.images, 1)[:, 0], labels))
    return Seen(inserted, torch.stack(found), looks)


def _leaning(answers: Tensor, labels: Tensor) -> Tensor:
    """(m,) how much a model prefers a canary's wrong label to the other wrong ones.

    Its mean logit over all labels is what a canary not inserted would have there; the true label
    tells how well the picture is known, not whether the canary was there.
    """
    chosen = one_hot(labels, answers.shape[1]).bool()
    return answers[chosen].double() - answers.double().mean(1)


def looked_at(steps: int) -> list[int]:
    """Numbers of steps done at which scores are kept; the last is ``steps``."""
    return sorted({max(1, round(steps * (turn + 1) / LOOKS)) for turn in range(LOOKS)})


def _seed(exam: Exam, run: int) -> int:
    return int(torch.randint(2**40, (1,), generator=stream(exam.seed, "audit", run)))
