"""Missing points of a series: last year's times how the level has changed, else between two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from salescast.container.records import FloatArray

LEVEL_REACH = 8
"""Points to both sides by which the level is compared with that of a season before."""

LARGEST_RATIO = 3.0


def fill_gaps(values: FloatArray, period: int) -> FloatArray:
    """Fill what is missing from the series' own points, as many series at once as are given.

    A gap takes the point of a season before it, else of a season after it, times the ratio of the
    levels around the two; without both it lies on the line between its neighbours. Nothing
    observed changes.

    Args:
        values: Series by point, NaN where missing; at least one point of each is known.
        period: Points a season.

    Returns:
        The same without NaN.
    """
    is_missing = np.isnan(values)
    if not is_missing.any():
        return values
    found = np.where(is_missing, np.nan, values)
    for shift in (period, -period):
        other = _shifted(values, shift)
        ratio = _level_ratio(values, other)
        found = np.where(np.isnan(found), other * ratio, found)
    return _interpolated(found)


def _shifted(values: FloatArray, shift: int) -> FloatArray:
    """For each point the one `shift` points before it; NaN beyond the ends."""
    n = values.shape[1]
    other = np.full_like(values, np.nan)
    if abs(shift) < n:
        if shift > 0:
            other[:, shift:] = values[:, :-shift]
        else:
            other[:, :shift] = values[:, -shift:]
    return other


def _level_ratio(values: FloatArray, other: FloatArray) -> FloatArray:
    """Sum of the points around each over that of their counterparts, where both are known."""
    both = ~np.isnan(values) & ~np.isnan(other)
    above = _around(np.where(both, values, 0.0))
    below = _around(np.where(both, other, 0.0))
    is_sound = (above > 0) & (below > 0)
    ratio = np.divide(above, below, out=np.ones_like(above), where=is_sound)
    return np.clip(ratio, 1 / LARGEST_RATIO, LARGEST_RATIO)


def _around(values: FloatArray) -> FloatArray:
    """Sum of each point and those within LEVEL_REACH of it."""
    n = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    right = np.minimum(np.arange(n) + LEVEL_REACH + 1, n)
    left = np.maximum(np.arange(n) - LEVEL_REACH, 0)
    return np.asarray(sums[:, right] - sums[:, left])


def _interpolated(values: FloatArray) -> FloatArray:
    """Gaps on the line between their neighbours; before the first and after the last as these."""
    known: npt.NDArray[np.bool_] = ~np.isnan(values)
    n = values.shape[1]
    place = np.arange(n)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, n)[:, ::-1], axis=1)[:, ::-1]
    before, after = np.where(before < 0, after, before), np.where(after == n, before, after)
    rows = np.arange(len(values))[:, None]
    left, right = values[rows, before], values[rows, after]
    span = np.maximum(after - before, 1)
    return np.asarray(left + (right - left) * (place - before) / span)
