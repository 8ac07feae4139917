"""Defenses whose release depends on earlier ones: what they carry from step to step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from torch import Tensor

from defenses.contract import Defense, Side
from defenses.errors import BadInput


@dataclass(frozen=True)
class Remembering(Defense):
    """A defense that reads and writes `Side.memory`, which its trainer keeps for it.

    Without a memory every release is a first one: an inversion attack sees a single release.
    """

    wants: ClassVar[frozenset[str]] = frozenset({"memory"})
    forgets: ClassVar[bool] = True
    """Whether a release without the memory is another than the run's, noise apart."""

    side: Side = field(default=Side(), metadata={"hidden": True}, compare=False, repr=False)

    def informed(self, side: Side) -> Self:
        """The same defense, told the sample rate, the shared seed and the memory."""
        return dataclasses.replace(self, side=side)

    def at(self, step: int, steps: int) -> Self:
        """The same defense, which is asked for its first step.

        Raises:
            BadInput: later, where a release needs what only its own run remembers.
        """
        if step and self.forgets:
            raise BadInput(
                f"what {self._label!r} releases at step {step} depends on the steps before it: "
                "let victims.train --record-every write it, and attack it as an --observation"
            )
        return self

    def recall(self) -> dict[str, Tensor]:
        """The values that were written last, by name; none before the first release."""
        start = f"{self._label}."
        memory = self.side.memory or {}
        return {k.removeprefix(start): v for k, v in memory.items() if k.startswith(start)}

    def remember(self, values: Mapping[str, Tensor]) -> None:
        """Write values, by name, for the next step, where there is a memory."""
        if self.side.memory is not None:
            self.side.memory.update({f"{self._label}.{k}": v.detach() for k, v in values.items()})

    @property
    def _label(self) -> str:
        return self.name or type(self).__name__
