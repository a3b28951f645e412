"""Series side by side: one column a week, with sums that tell any span at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from salescast.container.errors import ContractError
from salescast.container.records import FloatArray, Record

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

SEASON = 52
"""Weeks from a week to the one a year before it."""

BEFORE = 2 * SEASON + 4
"""Empty weeks before the first one: what is looked up two years back is always there."""

AFTER = 2
"""Empty weeks after the last one."""

LONGEST = 520
"""Weeks of a series that are looked at, counted from its end."""

LARGEST_TARGET = 1e30

SALES, SIZES, SQUARES, OBSERVED, PAIRED_SALES, PAIRED_BEFORE, PAIRED = range(7)
"""Quantities of `Weeks.sums`; paired are the weeks that were observed a year before too."""

TINY = 1e-30


@dataclass(frozen=True)
class Weeks:
    """Sales by row and week; a week is named by its column.

    Attributes:
        sales: Row by week, NaN where missing.
        sums: Row by week + 1 by quantity, sums of all weeks before.
        origin: Number of the week in column 0, counted from the calendar's first.
        last: Column of the last week.
    """

    sales: Float32Array
    sums: FloatArray
    origin: int
    last: int

    def sales_at(self, rows: IntArray, weeks: IntArray) -> Float32Array:
        """Sales of some weeks of each row: row by any further axes of `weeks`."""
        return np.take(self.sales, _flat(rows, weeks, self.sales.shape[1]))

    def totals(self, rows: IntArray, end: IntArray, spans: IntArray) -> FloatArray:
        """Sums over the weeks up to `end`, itself included: row by span by quantity."""
        before = self.sums[rows[:, None], end[:, None] + 1 - spans]
        return np.asarray(self.sums[rows, end + 1][:, None] - before)


@dataclass(frozen=True)
class Panel:
    """Series of records.

    Attributes:
        weeks: Their sales.
        features: Series by week by feature, each in -1..1, as far as they are known.
        codes: Series by category position.
        first: For each series, the week of its first observation; `end` without one.
        end: For each series, its last week.
        anchor: Series by week, the newest observed week up to it.
        smallest_scale: What a series' scale is at least.
    """

    weeks: Weeks
    features: Float32Array
    codes: IntArray
    first: IntArray
    end: IntArray
    anchor: IntArray
    smallest_scale: float

    def features_at(self, series: IntArray, weeks: IntArray) -> Float32Array:
        """Features of some weeks of each series, the feature as the last axis."""
        n_weeks, n_features = self.features.shape[1:]
        flat = self.features.reshape(len(self.features) * n_weeks, n_features)
        return np.take(flat, _flat(series, weeks, n_weeks), axis=0)

    def scales(self, series: IntArray, end: IntArray) -> FloatArray:
        """Mean size of the observed weeks of the year up to `end`, one of each series.

        Where none is observed, that of the year up to the newest that is.
        """
        year = np.array([SEASON])
        total = self.weeks.totals(series, end, year)[:, 0]
        silent = np.flatnonzero(total[:, OBSERVED] == 0)
        newest = self.anchor[series[silent], end[silent]]
        total[silent] = self.weeks.totals(series[silent], newest, year)[:, 0]
        size = total[:, SIZES] / np.maximum(total[:, OBSERVED], 1)
        return np.maximum(size, self.smallest_scale)


def _flat(rows: IntArray, weeks: IntArray, n_weeks: int) -> IntArray:
    return weeks + (rows * n_weeks).reshape(-1, *[1] * (weeks.ndim - 1))


def week_number(record: Record) -> int:
    """Number of the week in which a record starts, counted from the calendar's first."""
    return record.start.toordinal() // 7


def usable_target(record: Record) -> FloatArray:
    """The weeks of a record that are looked at.

    Raises:
        ContractError: A value is so large that its square is no number.
    """
    target = record.target[-LONGEST:]
    if (np.abs(target[~np.isnan(target)]) > LARGEST_TARGET).any():
        raise ContractError(f"{record.where}: target holds a value beyond {LARGEST_TARGET:g}")
    return target


def make_weeks(values: FloatArray, origin: int) -> Weeks:
    """Weeks from their sales.

    Args:
        values: Row by week, NaN where missing; the first BEFORE and the last AFTER all are.
        origin: Number of the week in column 0.
    """
    return Weeks(
        sales=values.astype(np.float32),
        sums=_sums(values),
        origin=origin,
        last=values.shape[1] - 1 - AFTER,
    )


def make_panel(
    records: Sequence[Record],
    *,
    feature_sizes: FloatArray,
    cardinality: Sequence[int],
    ahead: int,
    smallest_scale: float,
) -> Panel:
    """Lay records side by side.

    Args:
        records: At least one.
        feature_sizes: What each feature is divided by.
        cardinality: Codes known at each position of cat; one beyond them counts as the next code.
        ahead: Weeks that features reach beyond the target.
        smallest_scale: What a series' scale is at least.

    Raises:
        ContractError: A target is too large, or cat or dynamic_feat have another size.
    """
    targets = [usable_target(record) for record in records]
    after = np.array([week_number(record) + len(record.target) for record in records])
    begin = after - [len(target) for target in targets]
    origin = int(begin.min()) - BEFORE
    n_weeks, n_features = int(after.max()) - origin, len(feature_sizes)
    values = np.full((len(records), n_weeks + AFTER), np.nan)
    features = np.zeros((len(records), n_weeks + AFTER + ahead, n_features), dtype=np.float32)
    codes = np.zeros((len(records), len(cardinality)), dtype=np.int64)
    for row, (record, target) in enumerate(zip(records, targets, strict=True)):
        column = int(begin[row]) - origin
        values[row, column : column + len(target)] = target
        if n_features:
            _check_size(record, "dynamic_feat", len(record.dynamic_feat), n_features)
            shown = record.dynamic_feat[:, max(len(record.target) - LONGEST, 0) :]
            features[row, column : column + shown.shape[1]] = (shown / feature_sizes[:, None]).T
        if len(cardinality):
            _check_size(record, "cat", len(record.cat), len(cardinality))
            codes[row] = np.minimum(record.cat, cardinality)
    known = ~np.isnan(values)
    end = np.maximum(after - origin - 1, BEFORE)
    columns = np.arange(values.shape[1])
    newest = np.maximum.accumulate(np.where(known, columns, 0), axis=1)
    return Panel(
        weeks=make_weeks(values, origin),
        features=features,
        codes=codes,
        first=np.where(known.any(axis=1), known.argmax(axis=1), end),
        end=end,
        anchor=np.maximum(newest, BEFORE),
        smallest_scale=max(smallest_scale, TINY),
    )


def _check_size(record: Record, name: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise ContractError(
            f"{record.where}: {name} has {found} values, the model was trained with {wanted}"
        )


def _sums(values: FloatArray) -> FloatArray:
    """Sums of all weeks before each: the quantities of `Weeks.sums`."""
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    before = np.zeros_like(values)
    before[:, SEASON:] = values[:, :-SEASON]
    paired = np.zeros_like(known)
    paired[:, SEASON:] = known[:, SEASON:] & known[:, :-SEASON]
    sums = np.zeros((values.shape[0], values.shape[1] + 1, 7))
    for quantity, of_week in (
        (SALES, values),
        (SIZES, np.abs(values)),
        (SQUARES, values**2),
        (OBSERVED, known),
        (PAIRED_SALES, values * paired),
        (PAIRED_BEFORE, before * paired),
        (PAIRED, paired),
    ):
        np.cumsum(of_week, axis=1, out=sums[:, 1:, quantity])
    return sums
