"""A training run from its data to its last checkpoint, resumed where it was, or at any step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from scipy.stats import binomtest
from torch import Tensor, nn

from defenses import BadInput, stream
from reports.records import atomic
from victims import checkpoint as store
from victims.data import Data, load_data
from victims.features import Featurised, precompute, split_last
from victims.models import load_model
from victims.trainer import Trainer
from victims.training import Training, plan

Report = Callable[[str, int, int], None]
SAVE_SECONDS = 60.0


class Stopped(RuntimeError):
    """A run that cannot go on; the message says why and which checkpoint is good."""


@dataclass(frozen=True)
class Prepared:
    """What a run works on.

    Attributes:
        trainer: at step 0.
        train: the private examples, as images.
        test: inputs (images or features) and labels that measure accuracy.
        majority: accuracy of always naming the test split's most frequent class.
    """

    trainer: Trainer
    train: Data
    test: tuple[Tensor, Tensor]
    majority: float


def prepare(
    training: Training,
    *,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = lambda line, done, total: None,
    features: dict[Any, Tensor] | None = None,
) -> Prepared:
    """Load data and model, and build the trainer.

    Args:
        training: what to run.
        device: where the gradients are taken.
        data_root: see `victims.load_data`.
        report: told of slow preparation.
        features: a cache of frozen features for runs on the same data and model in one process.

    Raises:
        BadInput: anything that cannot be used, before anything is written.
    """
    t = training
    where: dict[str, Any] = {"root": data_root, "size": t.size, "seed": t.seed}
    report("reading data", 0, 1)
    train = load_data(t.data, split="train", count=t.count, **where)
    test = load_data(t.data, split="test", **where)
    classes = max(train.classes, test.classes)
    whole = build(t, (*train.images.shape[1:],), classes)
    model = split_last(whole) if t.layers == "last" else whole
    started = t.weights != "untrained"
    past = store.earlier_spending(Path(t.weights), t.document()) if started else ()
    made = plan(t, len(train.labels), past)
    shared = None
    if t.public is not None:
        public = load_data(t.public, split="train", count=t.anchors, at_most=True, **where)
        shared = (public.images, public.labels)
    images, tests = train.images, test.images
    if isinstance(model, Featurised):
        if t.views > 1:
            raise BadInput(
                f"--views needs a model that sees images; {t.model!r} trains on features"
            )
        cache = {} if features is None else features
        model.to(device)
        key = (t.data, t.count, t.size, t.seed if t.count else None, t.model, t.weights)
        for split, part in (("train", images), ("test", tests)):
            if (*key, split) not in cache:
                cache[*key, split] = precompute(model, part, report=report)
        images, tests = cache[*key, "train"], cache[*key, "test"]
        if shared is not None:
            shared = (precompute(model, shared[0]), shared[1])
    trainer = Trainer(made, model, images, train.labels, shared, device)
    trainer.whole = whole
    majority = float(test.labels.bincount().max()) / len(test.labels)
    return Prepared(trainer, train, (tests, test.labels), majority)


def build(training: Training, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The model a training starts from."""
    channels, height, width = shape
    model = load_model(
        training.model,
        image_shape=(channels, height, width),
        classes=classes,
        weights=None if training.weights == "untrained" else training.weights,
        generator=stream(training.seed, "model"),
    )
    return model


def run(
    prepared: Prepared,
    folder: Path | None,
    *,
    keep: int = 10,
    save_seconds: float = SAVE_SECONDS,
    until: int | None = None,
    report: Report = lambda line, done, total: None,
    watch: Callable[[Trainer], None] = lambda trainer: None,
) -> Iterator[dict[str, Any]]:
    """Train to the end, yielding a row per finished epoch, those before a resume included.

    Args:
        prepared: see `prepare`.
        folder: where checkpoints lie; one that is there is resumed. None writes none.
        keep: this many checkpoints besides the latest are kept, evenly over the run, so that
            steps in between can be reached again quickly.
        save_seconds: a checkpoint is written at the end of an epoch, and after this long.
        until: stop once so many steps are done; None runs to the end.
        report: told of progress.
        watch: called with the trainer before each step.

    Raises:
        Stopped: a gradient was not finite.
    """
    trainer, made = prepared.trainer, prepared.trainer.plan
    rows = _resume(trainer, folder)
    yield from rows
    ends = made.epoch_ends()
    last = made.steps if until is None else min(until, made.steps)
    kept = {round(made.steps * i / keep) for i in range(keep)} if keep else set()
    saved = time.monotonic()
    while trainer.step < last:
        if folder and trainer.step in kept:
            place = folder / "checkpoints" / f"step-{trainer.step:06d}.safetensors"
            if not place.exists():
                store.save(_snapshot(trainer, rows), place)
        watch(trainer)
        report(f"step {trainer.step + 1}", trainer.step, made.steps)
        try:
            trainer.advance()
        except BadInput as error:
            raise Stopped(_last_words(error, trainer, rows, folder)) from error
        if trainer.step in ends:
            rows.append(_row(prepared, len(rows) + 1))
            yield rows[-1]
        if folder and (trainer.step in ends or time.monotonic() - saved > save_seconds):
            store.save(_snapshot(trainer, rows), folder / store.LATEST)
            saved = time.monotonic()


def at_step(
    folder: Path, step: int, *, device: str = "cpu", data_root: str | None = None, **context: Any
) -> Prepared:
    """The run in ``folder`` as it was after ``step`` steps, trained again from a checkpoint.

    Raises:
        BadInput: no run there, or a step that it does not have.
    """
    found = [store.read(p) for p in sorted((folder / "checkpoints").glob("step-*.safetensors"))]
    if (folder / store.LATEST).exists():
        found.append(store.read(folder / store.LATEST))
    if not found:
        raise BadInput(f"{folder} holds no training run (no {store.LATEST})")
    prepared = prepare(Training(**found[0].training), device=device, data_root=data_root, **context)
    steps = prepared.trainer.plan.steps
    if not 0 <= step <= steps:
        raise BadInput(f"step is {step}; the run in {folder} has steps 0 to {steps}")
    before = [c for c in found if c.step <= step]
    if before:
        prepared.trainer.load(max(before, key=lambda c: c.step).state)
    for _ in run(prepared, None, until=step):
        pass
    return prepared


def _resume(trainer: Trainer, folder: Path | None) -> list[dict[str, Any]]:
    """Load the latest checkpoint of this training where there is one; its rows."""
    if folder is None or not (folder / store.LATEST).exists():
        return []
    found = store.read(folder / store.LATEST)
    if found.training != trainer.plan.training.document():
        raise BadInput(f"{folder} holds another training run: choose another --out, or --fresh")
    trainer.load(found.state)
    return found.rows


def _snapshot(trainer: Trainer, rows: list[dict[str, Any]]) -> store.Checkpoint:
    made = trainer.plan
    document, ledger = made.training.document(), made.ledger(trainer.step)
    return store.Checkpoint(document, trainer.step, rows, ledger, trainer.state())


def _last_words(error: BadInput, trainer: Trainer, rows: list[Any], folder: Path | None) -> str:
    text = f"training stopped at step {trainer.step + 1}: {error}"
    if folder is None:
        return text
    path = store.save(_snapshot(trainer, rows), folder / store.LATEST)
    return f"{text}; {path} holds the weights before it; a smaller --lr may help"


def _row(prepared: Prepared, epoch: int) -> dict[str, Any]:
    trainer = prepared.trainer
    made = trainer.plan
    inputs, labels = prepared.test
    right = trainer.correct(inputs, labels)
    interval = binomtest(right, len(labels)).proportion_ci(method="wilson")
    spent = made.epsilon(trainer.step)
    rate_at = getattr(made.defense, "rate_at", None)
    return {
        "epoch": epoch,
        "step": trainer.step,
        "accuracy": right / len(labels),
        "low": float(interval.low),
        "high": float(interval.high),
        "epsilon": None if spent == float("inf") else spent,
        "rate": rate_at(trainer.step - 1, made.steps) if rate_at else None,
        "wire_bytes": trainer.wire_bytes,
    }


def write_weights(trainer: Trainer, path: Path, *, averaged: bool = True) -> Path:
    """The model's state dict, which `load_model` takes, with what it has spent; returns ``path``.

    Args:
        trainer: a run at any step.
        path: a safetensors file, written atomically.
        averaged: the moving average where there is one, rather than the weights in training.
    """
    state = {k: v.detach().cpu().clone() for k, v in trainer.whole.state_dict().items()}
    if averaged:
        # By identity, for frozen features change the names.
        names = {id(p): k for k, p in trainer.whole.named_parameters()}
        for name, value in trainer.evaluated().items():
            state[names[id(trainer.parameters[name])]] = value.cpu().clone()
    made = trainer.plan
    facts = {"training": made.training.document(), "ledger": made.ledger(trainer.step)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as scratch:
        save_file(state, scratch, {"facts": json.dumps(facts)})
    return path
