"""Finished batches of a study, kept in its folder so that a rerun resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from attacks.invert.scenario import Scenario
from reports.commands.origins import mark
from reports.records import Partial
from reports.records.column import Column

Piece = tuple[dict[str, Any], dict[str, Tensor]]
"""Rows and guesses of one batch, as `attacks.invert.score.score` returns them."""


class Pieces:
    """The batches of one study.

    Args:
        scenario: what is studied.
        out: folder of the results; None keeps no piece.
        content: digest of the study's images; pieces of other images are not found.
    """

    def __init__(self, scenario: Scenario, out: Path | None, content: str) -> None:
        self._partial = None if out is None else Partial(out, content)
        self._prefix = "" if out is None else f"{scenario.key()}{mark(scenario.document())}"

    def load(self, column: Column, index: int) -> Piece | None:
        """A column's batch by its index; None where it has not been finished."""
        return self._partial.load(self._name(column, index)) if self._partial else None

    def save(self, column: Column, index: int, piece: Piece) -> None:
        """Keep a column's batch, where there is a folder."""
        if self._partial:
            self._partial.save(self._name(column, index), *piece)

    def _name(self, column: Column, index: int) -> str:
        return f"{self._prefix}-{column.key.replace('/', '-').replace(':', '.')}-{index}"
