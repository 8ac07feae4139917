"""A Record's rows as a table of pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defenses import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """The rows as a DataFrame, in their order.

    Args:
        rows: of a Record; a field within a field becomes a column named by both,
            ``scores.loss``.

    Raises:
        BadInput: pandas is not installed.
    """
    try:
        from pandas import json_normalize
    except ImportError as error:
        raise BadInput("to_pandas needs pandas: pip install 'leakgauge[notebook]'") from error
    return json_normalize([dict(row) for row in rows])
