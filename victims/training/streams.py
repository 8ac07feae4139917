"""Keys the generators of a run by what makes it another run than those before it.

An accountant adds up noise that it takes for fresh. Two runs at one seed must therefore not share
it: the same person's absence, a second epoch budget or other weights would come out as the plain
difference of two releases. So all that hides somebody is keyed by what the run works on, and by
the seed beside it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from defenses import stream
from defenses.options import shown_options
from defenses.secrecy import SecretGenerator
from victims.training.plan import Plan

SPELLINGS = ("data", "weights", "public")
"""Fields that name by a word what `run_key` takes by its content."""


class Streams(Protocol):
    """The CPU generator of one purpose at one place of a run."""

    def __call__(self, purpose: str, *place: object) -> torch.Generator:
        """The generator, always from its beginning."""
        ...


@dataclass(frozen=True)
class Repeatable:
    """Streams that can be drawn again by whoever has the seed and all that the run works on.

    Attributes:
        seed: the seed of the run.
        key: the key of the run, see `run_key`.
    """

    seed: int
    key: str

    def __call__(self, purpose: str, *place: object) -> torch.Generator:
        """The generator named (seed, key, purpose, place)."""
        return stream(self.seed, "run", self.key, purpose, *place)


@dataclass(frozen=True)
class Secret:
    """Streams that nobody can draw again, this process included: no two calls give the same."""

    def __call__(self, purpose: str, *place: object) -> torch.Generator:
        """A generator that the operating system keys, which keeps no copy."""
        return SecretGenerator(secrets.token_bytes(64))


def streams_of(plan: Plan, held: Sequence[Tensor], model: nn.Module) -> Streams:
    """The generators of a run.

    Args:
        plan: of the run; one that knows no content is keyed by the tensors at hand.
        held: private and public examples with their labels.
        model: as it is before the first step.
    """
    if plan.training.secure:
        return Secret()
    content = plan.content or content_of(*held, dict(model.state_dict()))
    return Repeatable(plan.training.seed, run_key(plan, content))


def run_key(plan: Plan, content: str) -> str:
    """64 hex digits that change with anything that makes a run another one.

    Args:
        plan: settings, size, noise and what was spent before.
        content: digest of private data, starting weights and public data.
    """
    spelled = {*SPELLINGS, "model"} if _is_known_by_content(plan) else SPELLINGS
    settings = {k: v for k, v in plan.training.document().items() if k not in spelled}
    facts = {
        "training": settings,
        "content": content,
        "history": plan.history,
        "steps": plan.steps,
        "sample_rate": plan.sample_rate,
        "options": shown_options(plan.defense) if dataclasses.is_dataclass(plan.defense) else {},
    }
    text = json.dumps(facts, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_known_by_content(plan: Plan) -> bool:
    """Whether the model's name says nothing that counts beside its weights and its code.

    So it is of the user's own code in a run that promises nothing: two ways to write one model
    then train alike. Under a guarantee another pass through equal weights is another run.
    """
    t, defense = plan.training, plan.defense
    if ":" not in t.model or defense.effective_noise() > 0:
        return False
    return math.isinf(defense.epsilon(steps=1, sample_rate=plan.sample_rate, delta=t.delta))


def content_of(*parts: Tensor | Mapping[str, Tensor] | str | None) -> str:
    """64 hex digits (SHA-256) of tensors, their names, types and shapes, and of texts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        named: Mapping[str, Any] = part if isinstance(part, Mapping) else {"": part}
        for name, value in named.items():
            if not isinstance(value, Tensor):
                digest.update(json.dumps([name, value]).encode())
                continue
            values = value.detach().cpu().contiguous()
            digest.update(json.dumps([name, str(values.dtype), *values.shape]).encode())
            digest.update(values.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
