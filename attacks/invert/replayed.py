"""Whether a defense from elsewhere can be replayed, on which its adaptive attacker relies.

The package's own defenses are held to it by the tests; one of the user's own is looked at here,
beside every attack, for an attacker who follows a wrong replay finds nothing in any release.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from attacks.invert.scenario import Scenario
from attacks.invert.under_defenses import build_defenses
from defenses import Defense
from defenses.chains.chain import Chain
from defenses.conformance import Check
from defenses.conformance.replaying import replay_of_whole_batches
from reports.records.inversion import Bounds
from reports.records.rounds import part_column

LARGEST, EDGE = 2**20, 32
"""Of a model with more values, each edge of a parameter is cut to this for the look."""
SHOWN = 200
"""Letters of a finding that a Record keeps."""


def with_replays(
    bounds: Mapping[str, Bounds], scenario: Scenario, models: Mapping[str, nn.Module]
) -> dict[str, Bounds]:
    """The bounds of a Record, which say of each defense from elsewhere what its replay lacks.

    Args:
        bounds: by defense, those of other rounds of a schedule too.
        scenario: whose defenses they are.
        models: what the updates are of, by the same names.
    """
    built = build_defenses(scenario)
    found: dict[str, str] = {}
    told: dict[str, Bounds] = {}
    for name, bound in bounds.items():
        main = part_column(name)[0]
        told[name] = bound
        if is_foreign(built[main]):
            if main not in found:
                found[main] = look_at_replay(built[main], models[name])
            told[name] = {**bound, "replay": found[main]}
    return told


def is_foreign(defense: Defense) -> bool:
    """Whether the class of a defense, or of a stage of a chain, is not of the package's own."""
    classes = (
        [cls for _, cls, _ in defense.parts] if isinstance(defense, Chain) else [type(defense)]
    )
    return any(cls.__module__.partition(".")[0] != "defenses" for cls in classes)


def look_at_replay(defense: Defense, model: nn.Module) -> str:
    """What is wrong with the replay of a defense, in one line; empty where it explains releases.

    The check of `defenses.conformance` on made-up gradients, with streams of its own; of batches
    that are as large as is public, as all are that are attacked.

    Args:
        defense: to look at, not told what is public.
        model: whose gradients it defends.
    """
    parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
    edge = EDGE if sum(v.numel() for v in parameters.values()) > LARGEST else LARGEST
    like = {
        name: torch.zeros([min(n, edge) for n in value.shape], dtype=value.dtype)
        for name, value in parameters.items()
    }
    finding = Check(replay_of_whole_batches)(defense, like=like)
    return "" if finding.holds else finding.told[:SHOWN]
