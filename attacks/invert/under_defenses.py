"""The victims of a Scenario, each under its defense: the defenses, their model, their rounds."""

from __future__ import annotations

import dataclasses

from torch import nn
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks.invert.aggregated import aggregate
from attacks.invert.contract import registry
from attacks.invert.drift import hold_at, with_drift
from attacks.invert.images import image_shape
from attacks.invert.matching.gradients import refuse_single_derivatives
from attacks.invert.modes import training_copy
from attacks.invert.scenario import RELEASED, RUNNING, Scenario
from attacks.invert.schedules import Schedule, schedule
from attacks.invert.victim import Victim
from defenses import BadInput, Defense, Side, preprocessing
from defenses.options import shown_options
from reports.records.rounds import part_column
from victims.data import Data
from victims.gradients.batch_norm import norms
from victims.models import load_defended
from victims.models.frozen import split_last

ANCHORS = 128
"""So many of them are public for defenses that learn from public data."""


def load_victims(
    scenario: Scenario, auxiliary: Data, classes: int, *, device: str
) -> tuple[dict[str, Victim], dict[str, Schedule]]:
    """The victim under each defense of the Scenario at each of its rounds, and these rounds.

    Args:
        scenario: what is studied.
        auxiliary: images that everyone may have; defenses that learn from public data learn from
            these.
        classes: number of labels.
        device: of the models.

    Returns:
        ``Cast.victims`` and ``Cast.schedules``.
    """
    shape = image_shape(auxiliary)
    found: dict[str, Victim] = {}
    schedules: dict[str, Schedule] = {}
    attack = registry.get(scenario.attack, **scenario.attack_options)
    plain: nn.Module | None = None
    for name, defense in build_defenses(scenario).items():
        if scenario.local and preprocessing.stages(defense):
            flag = "--local-steps" if scenario.batch_norm == RUNNING else "--batch-norm"
            raise BadInput(
                f"defense {name!r} acts before the gradient, which is not known of local steps: "
                f"leave {flag} out, or take another defense"
            )
        # At a step of a training run the round of the run's defense is given.
        given = scenario.step is not None and name == scenario.defense
        moments = 0 if given else scenario.moments
        model = plain
        if model is None or preprocessing.stages(defense):
            model = load_model_under(defense, scenario, shape, classes).to(device)
            model = normalise_by(model, scenario, shape)
        model = attack.send(model, auxiliary.images.to(device)) if model is not plain else model
        if plain is None and not preprocessing.stages(defense):
            plain = model
        informed = with_public(defense, model, auxiliary, device)
        like = {k: p.detach() for k, p in model.named_parameters() if p.requires_grad}
        rounds = with_drift(schedule(defense, moments), informed, like, moments)
        schedules[name] = rounds
        for label, fixed in rounds.labels(name).items():
            known = informed
            if fixed is not defense:
                known = with_public(fixed, model, auxiliary, device)
            if rounds.drifts:
                known = hold_at(known, part_column(label)[1] or 0)
            sent = scenario.batch_norm == RELEASED
            found[label] = Victim(
                model, cross_entropy, known, local=scenario.local, statistics=sent
            )
    return found, schedules


def normalise_by(model: nn.Module, scenario: Scenario, shape: tuple[int, int, int]) -> nn.Module:
    """The model as the Scenario's ``batch_norm`` has it.

    Raises:
        BadInput: it has no batch normalisation, or cannot normalise by such a batch.
    """
    if scenario.batch_norm == RUNNING:
        return model
    if not norms(model):
        raise BadInput(
            f"model {scenario.model!r} has no batch normalisation: leave --batch-norm out"
        )
    return training_copy(model, shape, scenario.batch)


def build_defenses(scenario: Scenario) -> dict[str, Defense]:
    """The defenses to compare, the one under study last, all at the same options and epsilon.

    Raises:
        BadInput: an unknown defense, an option outside its range, an epsilon that the defense
            under study cannot guarantee, or one beside a noise multiplier.
    """
    main = defenses.get(scenario.defense, **scenario.defense_options)
    options = shown_options(main)
    built = {}
    for name in (*(n for n in scenario.against if n != scenario.defense), scenario.defense):
        fields = {f.name for f in dataclasses.fields(defenses.registry.find(name))}
        one = defenses.get(name, **{k: v for k, v in options.items() if k in fields})
        built[name] = aggregate(one, scenario.secure_aggregation)
    if scenario.epsilon is None:
        return built
    noise = defenses.noise_for_epsilon(
        scenario.epsilon, steps=1, sample_rate=1, delta=scenario.delta
    )
    for name, defense in built.items():
        loud = defenses.with_effective_noise(defense, noise)
        if loud is not None:
            if name == scenario.defense and "noise_multiplier" in scenario.defense_options:
                raise BadInput(
                    "give one of --epsilon, which sets the noise, and --noise-multiplier"
                )
            built[name] = loud
        elif name == scenario.defense:
            raise BadInput(f"defense {name!r} guarantees no epsilon, so --epsilon cannot set it")
    return built


def with_public(defense: Defense, model: nn.Module, auxiliary: Data, device: str) -> Defense:
    """A defense that learns from public data is given the adversary's own: everyone has them."""
    if "anchors" not in defense.wants:
        return defense
    images, labels = auxiliary.images[:ANCHORS].to(device), auxiliary.labels[:ANCHORS].to(device)
    anchors = victims.per_example_gradients(model, cross_entropy, images, labels)
    return defense.informed(Side(anchors=anchors))


def load_model_under(
    defense: Defense, scenario: Scenario, shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """The Scenario's model as it is under a defense, untrained or from its weights file.

    In eval mode, but for modules that draw by that defense.
    """
    model = load_defended(
        scenario.model,
        defense,
        seed=scenario.seed,
        layers=scenario.layers,
        image_shape=shape,
        classes=classes,
        weights=None if scenario.state == "untrained" else scenario.state,
    )
    model = preprocessing.let_draw(split_last(model) if scenario.layers == "last" else model)
    if ":" in scenario.model:
        refuse_single_derivatives(model, cross_entropy, shape, scenario.model)
    return model
