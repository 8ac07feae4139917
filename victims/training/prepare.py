"""Prepares a run: its data, its model and its trainer, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

import defenses
from reports.commands.origins import origins
from reports.commands.progress import Report, unwatched
from victims.data import Data, digest
from victims.models import load_defended
from victims.models.frozen import Featurised, precompute, split_last
from victims.training.examples import Examples, load_examples
from victims.training.features import STORE, refuse_images_wanted
from victims.training.ledger import Past, past_of
from victims.training.plan import Plan, make_plan
from victims.training.scenario import Training
from victims.training.streams import content_of
from victims.training.trainer import Trainer


@dataclass(frozen=True)
class Prepared:
    """A run that can begin.

    Attributes:
        trainer: the trainer, at step 0.
        train: the private examples, as images.
        test: inputs (images or features) and labels that measure accuracy.
        majority: accuracy of always naming the test split's most frequent class, in [0, 1].
        model: the model with the frozen layers that the trainer's may lack.
        past: what its starting weights had cost before.
    """

    trainer: Trainer
    train: Data
    test: tuple[Tensor, Tensor]
    majority: float
    model: nn.Module
    past: Past


def prepare(
    training: Training,
    *,
    device: str = "cpu",
    data_root: str | None = None,
    report: Report = unwatched,
    examples: Examples | None = None,
    plan: Plan | None = None,
    trainer: Callable[..., Trainer] = Trainer,
) -> Prepared:
    """Load data and model, and build the trainer.

    Args:
        training: what is to be run.
        device: where the gradients are taken.
        data_root: see `victims.load_data`.
        report: called along slow preparation.
        examples: these examples instead of those that the training names, as for shadow models.
        plan: this plan instead of one for the number of private examples.
        trainer: builds the trainer from what `Trainer` takes.

    Raises:
        BadInput: anything that cannot be used, before anything is written.
    """
    t = training
    report("reading data", 0, 1)
    examples = examples or load_examples(t, data_root=data_root)
    examples.check(t.data)
    train, test = examples.train, examples.test
    whole = build(t, (*train.images.shape[1:],), examples.classes)
    model = split_last(whole) if t.layers == "last" else whole
    past = Past() if t.weights == "untrained" else past_of(Path(t.weights), t.data, train.images)
    plan = plan or make_plan(t, len(train.labels), past.history, sound=past.holds)
    plan = dataclasses.replace(plan, content=content(t, examples, whole))
    inputs, tests, public = inputs_of(model, examples, plan, device, report)
    built = trainer(plan, model, inputs, train.labels, public, device)
    majority = float(test.labels.bincount().max()) / len(test.labels)
    return Prepared(built, train, (tests, test.labels), majority, whole, past)


def build(training: Training, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The model that a training starts from, for images of shape (C, H, W)."""
    channels, height, width = shape
    return load_defended(
        training.model,
        defenses.get(training.defense, **training.defense_options),
        seed=training.seed,
        layers=training.layers,
        image_shape=(channels, height, width),
        classes=classes,
        weights=None if training.weights == "untrained" else training.weights,
    )


def content(training: Training, examples: Examples, whole: nn.Module) -> str:
    """Digest of what a run works on, see `victims.training.streams`.

    It is one of images, for features may differ in their last bits from machine to machine. So may
    weights that a name and a seed tell: they are left out, unless the test split has labels that
    the private examples lack.
    """
    t, train, anchors = training, examples.train, examples.anchors
    drawn = t.weights == "untrained" and ":" not in t.model and examples.classes == train.classes
    start = "" if drawn else content_of(dict(whole.state_dict()))
    parts = [digest(train), start, "" if anchors is None else digest(anchors)]
    # The user's own code, edited, computes other gradients from the same weights.
    code = origins({"model": t.model, "defense": t.defense})
    return content_of(*parts, *code.values())


def inputs_of(
    model: nn.Module, examples: Examples, plan: Plan, device: str, report: Report
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """What the trained layers see of private examples, tests and public ones with their labels.

    Images, or where the model has frozen layers what these make of them.
    """
    train, test, anchors = examples.train, examples.test, examples.anchors
    if not isinstance(model, Featurised):
        public = None if anchors is None else (anchors.images, anchors.labels)
        return train.images, test.images, public
    refuse_images_wanted(plan)
    model.to(device)
    name = plan.training.model
    inputs = STORE.features(name, model, train, report)
    tests = inputs if test is train else STORE.features(name, model, test, report)
    public = None if anchors is None else (precompute(model, anchors.images), anchors.labels)
    return inputs, tests, public
