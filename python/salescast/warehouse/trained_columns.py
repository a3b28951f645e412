"""SQL of any engine that reads an export's columns as a trained model does.

The export stands in the query as `records` with its `series`; `known_<position>` is the model's
category map, joined once for each position of `cat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from salescast.errors import UserError
from salescast.lake.trained_models import CATEGORY_COLUMNS


def feature_column(present: Sequence[str], wanted: Sequence[str], cutoff: date) -> str:
    """The features of a record in the model's order.

    Args:
        present: Names of the export's features, in order.
        wanted: Names of the model's features, in order.
        cutoff: Cutoff of the export, for messages.

    Raises:
        UserError: The export lacks a feature that the model was trained with.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        raise UserError(
            "The trained model needs features that the warehouse does not have: "
            f"{', '.join(missing)}.",
            where=f"cutoff {cutoff}; present: {', '.join(present) or 'none'}",
            fix="Land these series again with known_future: true, or train a new model.",
        )
    if list(wanted) == list(present):
        return "records.dynamic_feat"
    picked = ", ".join(f"records.dynamic_feat[{present.index(name) + 1}]" for name in wanted)
    return f"array[{picked}]"


def category_column(positions: Sequence[int]) -> str:
    """The codes of a record's categories in the model's map."""
    return f"array[{', '.join(f'known_{position}.code' for position in positions)}]"


def category_match(position: int) -> str:
    """Condition on which the map of a position is joined."""
    known = f"known_{position}"
    return (
        f"{known}.cat_position = {position}"
        f" and {known}.category_value = series.{CATEGORY_COLUMNS[position]}"
    )
