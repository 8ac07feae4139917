"""What a participant downloads: the parameters that were updated most (Shokri and Shmatikov 2015).

Section 5: before it trains, a participant overwrites a share theta_d of its parameters with the
server's, those of the largest counters; `victims.federated.counters` says how they count.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from defenses.gradients import flat, split
from defenses.selection import largest, share_of


def most_updated(counters: Mapping[str, Tensor], theta_d: float) -> dict[str, Tensor]:
    """Masks (True = downloaded) of the share theta_d of all parameters with the largest counters.

    Args:
        counters: parameter name -> float64 counters of the parameter's shape.
        theta_d: in (0, 1]; 1 downloads everything.
    """
    values = flat(counters)
    return split(largest(values, share_of(len(values), theta_d)), counters)


def overwrite(
    local: Mapping[str, Tensor], server: Mapping[str, Tensor], mask: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The local parameters with the server's values where ``mask`` is True; name -> tensor."""
    return {k: torch.where(mask[k], server[k], v) for k, v in local.items()}
