"""The adversaries of one study: the same attack and images, each practised for its own column."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import defenses
from attacks.invert.adversary import Adversary
from attacks.invert.candidates.lineup import Lineup
from attacks.invert.contract import Threat, registry, require
from attacks.invert.images import image_shape
from attacks.invert.load import Cast
from attacks.invert.matching.clock import Clock
from attacks.invert.scenario import Scenario
from attacks.invert.victim import Victim
from defenses import Defense, preprocessing, stream
from reports.records.column import ADAPTIVE, Column


class Adversaries:
    """Who attacks in a study, column by column.

    Args:
        scenario: what is studied.
        cast: what it names, loaded.

    Raises:
        BadInput: an unknown attack or option.
    """

    def __init__(self, scenario: Scenario, cast: Cast) -> None:
        self.scenario, self.cast = scenario, cast
        self.attack = registry.get(scenario.attack, **scenario.attack_options)
        # Most columns share a model, and so the gradients of its candidates.
        *_, studied = cast.victims.values()
        self._lineup = self._lineup_of(studied, None)
        self._practised: dict[Column, Adversary] = {}

    def of(self, column: Column) -> Adversary:
        """The adversary of a column, before practice.

        Raises:
            BadInput: the attack does not apply to this victim.
        """
        victim, auxiliary = self.cast.victims[column.defense], self.cast.auxiliary
        learning = self.cast.learning.images
        if column.adaptive:
            draw = stream(self.scenario.seed, "views", column.key)
            learning = preprocessing.random_views(victim.defense, learning, draw)
        lineup = self._lineup
        if preprocessing.stages(victim.defense) or victim.model is not lineup.model:
            lineup = self._lineup_of(victim, victim.defense if column.adaptive else None)
        threat = Threat(
            defense=victim.defense,
            adaptive=column.adaptive,
            image_shape=image_shape(self.cast.private),
            classes=self.cast.classes,
            batch_size=self.scenario.batch,
            auxiliary_images=auxiliary.images,
            auxiliary_labels=auxiliary.labels,
            evaluations=self.scenario.evaluations,
            local=self.scenario.local,
            statistics=victim.statistics,
        )
        if len(learning):
            threat = dataclasses.replace(threat, learning_images=learning)
        require(self.attack.refusal(victim.model, threat), self.attack.name)
        return Adversary(self.attack, threat, lineup)

    def practise(
        self, column: Column, adversary: Adversary, clock: Clock, say: Callable[[str], None]
    ) -> Adversary:
        """The column's adversary after practice, which happens once.

        A naive adversary practises as if there were no defense, so all naive ones share a plan.

        Args:
            column: whose adversary practises.
            adversary: of the column, before practice.
            clock: of all that this adversary does.
            say: told when practice starts, and now and then how far it is.
        """
        habit = column if column.adaptive else Column("none", ADAPTIVE)
        if habit not in self._practised:
            what = f"{column.key}: practising on auxiliary images"
            say(what)
            none = {} if column.adaptive else {"defense": defenses.get("none")}
            self._practised[habit] = adversary.with_threat(**none).practise(
                self.cast.victims[column.defense],
                clock,
                generator=stream(self.scenario.seed, "practice", habit.defense, habit.adaptive),
                tell=lambda spent: say(f"{what}, {spent:,} gradients"),
            )
        ready = self._practised[habit]
        return dataclasses.replace(
            adversary, attack=ready.attack, practice=ready.practice, hurried=ready.hurried
        )

    def _lineup_of(self, victim: Victim, defense: Defense | None) -> Lineup:
        alike = self.cast.alike
        return Lineup.of(victim.model, victim.loss, alike.images, alike.labels, defense)
