"""What all series sold together, and those of each store and department."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from salescast.container.records import FloatArray
from salescast.container.weekly.panel import (
    AFTER,
    BEFORE,
    IntArray,
    Panel,
    Weeks,
    make_weeks,
)


def group_sales(panel: Panel, cardinality: Sequence[int]) -> FloatArray:
    """Sales of each group by week, NaN where none of its series was observed.

    Groups are all series, then those of each code at each position of cat.
    """
    shown = slice(BEFORE, panel.weeks.last + 1)
    sales = panel.weeks.sales[:, shown].astype(np.float64)
    known = ~np.isnan(sales)
    sales = np.where(known, sales, 0.0)
    rows = [(sales.sum(axis=0), known.any(axis=0))]
    for position, size in enumerate(cardinality):
        for code in range(size):
            chosen = panel.codes[:, position] == code
            rows.append((sales[chosen].sum(axis=0), known[chosen].any(axis=0)))
    return np.stack([np.where(is_known, total, np.nan) for total, is_known in rows])


def make_groups(sales: FloatArray, first_week: int) -> Weeks:
    """Groups as rows of weeks, and one more for codes that no series had.

    Args:
        sales: As `group_sales` gives them.
        first_week: Number of the first week.
    """
    values = np.full((len(sales) + 1, BEFORE + sales.shape[1] + AFTER), np.nan)
    values[:-1, BEFORE:-AFTER] = sales
    return make_weeks(values, first_week - BEFORE)


def group_rows(codes: IntArray, cardinality: Sequence[int], groups: Weeks) -> IntArray:
    """Rows of the groups that each series is in: series by 1 + positions of cat."""
    rows = np.zeros((len(codes), 1 + len(cardinality)), dtype=np.int64)
    begin = 1
    for position, size in enumerate(cardinality):
        code = codes[:, position]
        rows[:, 1 + position] = np.where(code < size, begin + code, len(groups.sales) - 1)
        begin += size
    return rows
