"""Data, model and trainer of a run, before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import defenses
from defenses import BadInput, Gradients, preprocessing
from reports.commands.origins import origins
from victims.data import Data, digest, load_data
from victims.data.trust import agree, check
from victims.models import load_guarded
from victims.models.frozen import Featurised, precompute, split_last
from victims.training.anchors import anchors_of, refuse_private
from victims.training.ledger import Past, past_of
from victims.training.plan import Plan, plan
from victims.training.scenario import Training
from victims.training.streams import content_of
from victims.training.trainer import Trainer

Report = Callable[[str, int, int], None]


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
    private: Data | None = None,
    test: Data | None = None,
    anchors: Data | None = None,
    made: Plan | None = None,
    trainer: Callable[..., Trainer] = Trainer,
    joined: Callable[[Tensor], Gradients] | None = None,
) -> Prepared:
    """Load data and model, and build the trainer.

    Args:
        training: what to run.
        device: where the gradients are taken.
        data_root: see `victims.load_data`.
        report: told of slow preparation.
        features: a cache of frozen features for runs in one process, by what was computed: the
            model's name, the digest of its frozen part and that of the data.
        private: these examples instead of ``training.data``'s, as for shadow models.
        test: likewise instead of the test split's.
        anchors: likewise instead of ``training.public``'s.
        made: this plan instead of one for the number of private examples.
        trainer: builds the trainer; it takes what `Trainer` takes.
        joined: see `Trainer`.

    Raises:
        BadInput: anything that cannot be used, before anything is written.
    """
    t = training
    where: dict[str, Any] = {"root": data_root, "size": t.size, "seed": t.seed}
    report("reading data", 0, 1)
    train = private or load_data(t.data, split="train", count=t.count, **where)
    test = test or load_data(t.data, split="test", **where)
    for held in (train, test):  # handed over or loaded: one door
        check(held, t.data)
    agree(train, test, t.data)
    classes = max(train.classes, test.classes)
    whole = build(t, (*train.images.shape[1:],), classes)
    model = split_last(whole) if t.layers == "last" else whole
    started = t.weights != "untrained"
    past = past_of(Path(t.weights), t.data, train.images) if started else Past()
    made = made or plan(t, len(train.labels), past.history, sound=past.holds)
    anchors = anchors or anchors_of(t, data_root=data_root, seed=t.seed)
    refuse_private(anchors, train.images, "the private ones")
    known = t.weights == "untrained" and ":" not in t.model and classes == train.classes
    start = None if known else whole
    made = dataclasses.replace(made, content=_content(t, train, start, anchors))
    shared = None if anchors is None else (anchors.images, anchors.labels)
    images, tests = train.images, test.images
    if isinstance(model, Featurised):
        if t.views > 1:
            raise BadInput(
                f"--views needs a model that sees images; {t.model!r} trains on features"
            )
        if preprocessing.ways(made.defense) > 1:
            raise BadInput(f"defense {t.defense!r} changes images; {t.model!r} trains on features")
        cache = {} if features is None else features
        model.to(device)
        frozen = content_of(repr(model.features), dict(model.features.state_dict()))
        keys = [(t.model, frozen, digest(part)) for part in (train, test)]
        for key, part in zip(keys, (images, tests), strict=True):
            if key not in cache:
                cache[key] = precompute(model, part, report=report)
        images, tests = (cache[key] for key in keys)
        if shared is not None:
            shared = (precompute(model, shared[0]), shared[1])
    victim = trainer(made, model, images, train.labels, shared, device, joined)
    victim.whole, victim.past, victim.people = whole, past, train.images
    majority = float(test.labels.bincount().max()) / len(test.labels)
    return Prepared(victim, train, (tests, test.labels), majority)


def _content(t: Training, train: Data, whole: nn.Module | None, anchors: Data | None) -> str:
    """Digest of what a run works on, see `victims.training.streams`; images, for features may
    differ in their last bits from machine to machine, and so may weights that a name and a seed
    tell (``whole`` is None then)."""
    start = "" if whole is None else content_of(dict(whole.state_dict()))
    parts = [digest(train), start, "" if anchors is None else digest(anchors)]
    # The user's own code, edited, computes other gradients from the same weights.
    code = origins({"model": t.model, "defense": t.defense})
    return content_of(*parts, *code.values())


def build(training: Training, shape: tuple[int, ...], classes: int) -> nn.Module:
    """The model a training starts from."""
    channels, height, width = shape
    return load_guarded(
        training.model,
        defenses.get(training.defense, **training.defense_options),
        seed=training.seed,
        layers=training.layers,
        image_shape=(channels, height, width),
        classes=classes,
        weights=None if training.weights == "untrained" else training.weights,
    )
