"""Plans a federation: shares, releases and noise, and the epsilon that they spend."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import defenses
from defenses import BadInput, Defense, Side, preprocessing
from defenses.privacy.accounting import gaussian_epsilon, noise_for_epsilon
from defenses.randomness import seed_of
from defenses.selection import share_of
from victims.federated.scenario import Federation
from victims.federated.sparse_vector import SparseVector

UNITS = {
    "example": "an example of one participant, Poisson sampling, add/remove adjacency, against "
    "whoever sees the uploads",
    "upload": "all of one participant's data (its update or none), against whoever sees its "
    "uploads",
    "participant": "all of one participant's data, Poisson sampling of participants, add/remove "
    "adjacency, against whoever sees the server's steps; the server itself sees every update",
    "replaced": "all of one participant's data, whatever replaces them, against whoever sees its "
    "uploads; pure epsilon, of ideal Laplace noise",
}
"""Whom a guarantee protects, and what it assumes."""


@dataclass(frozen=True)
class Plan:
    """A `Federation` once data and model are known.

    Attributes:
        federation: the settings.
        examples: of each participant, public.
        parameters: of the model, P.
        defense: with its noise set, informed of what is public.
        sparse: the sparse vector technique, where it is asked for.
        content: digest of all participants' data and of the starting weights.
    """

    federation: Federation
    examples: int
    parameters: int
    defense: Defense
    sparse: SparseVector | None = None
    content: str = ""

    @property
    def unit(self) -> str:
        """Whom the guarantee protects, a key of `UNITS`."""
        f = self.federation
        if f.where == "server":
            return "participant"
        if self.sparse is not None:
            return "replaced"
        return "example" if f.rule == "fedsgd" else "upload"

    @property
    def sample_rate(self) -> float:
        """Probability with which the unit is in a release."""
        f = self.federation
        rates = {"participant": f.share, "example": min(1.0, f.batch_size / self.examples)}
        return rates.get(self.unit, 1.0)

    @property
    def divisor(self) -> int:
        """The public batch size of a release: examples, one upload, or participants."""
        f = self.federation
        if self.unit == "participant":
            return max(1, round(f.share * f.participants))
        return f.batch_size if self.unit == "example" else 1

    def epsilon(self, releases: int, accountant: str = "prv") -> float:
        """What so many releases have spent of whom they protect; infinite without a guarantee."""
        if releases == 0:
            return 0.0
        if self.sparse is not None:
            return releases * self.sparse.epsilon
        place = {
            "steps": releases,
            "sample_rate": self.sample_rate,
            "delta": self.federation.delta,
        }
        noise = self.defense.effective_noise()
        if noise == 0:
            return self.defense.epsilon(**place)  # type: ignore[arg-type]
        return gaussian_epsilon(noise, accountant=accountant, **place)  # type: ignore[arg-type]


def make_plan(federation: Federation, total: int, parameters: int, content: str = "") -> Plan:
    """Share out the examples and find the noise.

    Args:
        federation: the settings.
        total: private examples that there are.
        parameters: of the model.
        content: see `Plan.content`.

    Raises:
        BadInput: fewer examples than are to be shared out, a defense that has no place here, or
            an epsilon for one that guarantees none.
    """
    f = federation
    if f.participants > total:
        raise BadInput(f"{f.participants} participants cannot share {total} examples")
    each = total // f.participants if f.examples is None else f.examples
    if each * f.participants > total:
        raise BadInput(
            f"{f.participants} participants of {each} examples need {each * f.participants}; "
            f"there are {total}: --examples is {total // f.participants} at most"
        )
    if f.rule == "fedsgd" and f.batch_size > each:
        raise BadInput(
            f"the batch of {f.batch_size} is larger than a participant's {each} examples"
        )
    defense = defenses.get(f.defense, **f.defense_options)
    if preprocessing.stages(defense) or "anchors" in defense.wants:
        raise BadInput(
            f"defense {f.defense!r} needs the model or public data, which a federation does not "
            "give it: train it with victims.train"
        )
    plan = Plan(f, each, parameters, defense, _sparse(f, defense, parameters), content)
    if f.epsilon is not None:
        plan = dataclasses.replace(plan, defense=_with_noise(plan, f.epsilon))
    side = Side(sample_rate=plan.sample_rate, mask_seed=seed_of(f.seed, "masks"))
    return dataclasses.replace(plan, defense=plan.defense.informed(side))


def _sparse(f: Federation, defense: Defense, parameters: int) -> SparseVector | None:
    if f.per_parameter is None:
        return None
    if f.defense != "dssgd" or getattr(defense, "selection", "") == "all":
        raise BadInput("per_parameter is of defense dssgd with a selection of a share theta_u")
    options = vars(defense)
    count = share_of(parameters, options["theta_u"])
    return SparseVector(f.per_parameter * count, count, options["gamma"], options["tau"])


def _with_noise(plan: Plan, epsilon: float) -> Defense:
    """The defense with the least noise that keeps the whole federation within epsilon."""
    f = plan.federation
    given = "noise_multiplier" in f.defense_options or plan.sparse is not None
    if given or defenses.with_effective_noise(plan.defense, 1.0) is None:
        raise BadInput(
            f"epsilon cannot set the noise of {f.defense!r}: it guarantees none, or its noise is "
            "given already"
        )
    noise = noise_for_epsilon(
        epsilon,
        steps=f.rounds,
        sample_rate=plan.sample_rate,
        delta=f.delta,
        accountant="prv",
    )
    found = defenses.with_effective_noise(plan.defense, noise)
    assert found is not None and math.isfinite(noise)
    return found
