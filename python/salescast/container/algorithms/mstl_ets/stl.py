"""The seasonal part of a series by STL without robustness: a matrix, since it is linear in them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from salescast.container.records import FloatArray

INNER_ITERATIONS = 5
N_OPERATORS = 128
"""Matrices kept at once, one a length."""


@lru_cache(maxsize=N_OPERATORS)
def seasonal_operator(n: int, period: int, window: int) -> FloatArray:
    """The matrix that makes of n points their seasonal part.

    It is that of `statsmodels.tsa.seasonal.STL` as statsforecast's MSTL calls it for one season:
    seasonal degree 0, trend and low-pass degree 1 with their default windows, five inner
    iterations, no outer one.

    Args:
        n: Points, more than a period.
        period: Points a season.
        window: Points of the seasonal smoother, odd: seasons that are looked at.

    Returns:
        Point of the seasonal part by point of the series; not to be written to.
    """
    trend_window = _odd(math.ceil(1.5 * period / (1 - 1.5 / window)))
    cycles = _cycle_smoother(n, period, window)
    low_pass = _loess(n, _odd(period + 1), 1) @ _moving_averages(n + 2 * period, period)
    season = cycles[period : period + n] - low_pass @ cycles
    smooth = _loess(n, trend_window, 1)
    identity = np.eye(n)
    trend = np.zeros((n, n))
    for _ in range(INNER_ITERATIONS):
        seasonal = season @ (identity - trend)
        trend = smooth @ (identity - seasonal)
    seasonal.setflags(write=False)
    return seasonal


def _odd(n: int) -> int:
    return n + 1 - n % 2


def _loess(n: int, window: int, degree: int, at: npt.NDArray[np.int64] | None = None) -> FloatArray:
    """Weights of a local regression on the points 1 to n.

    Args:
        n: Points.
        window: Points that a value is made of, odd.
        degree: 0 or 1.
        at: Places where the value is wanted, up to one beyond the points; all points without.

    Returns:
        Place by point.
    """
    x = (np.arange(1, n + 1) if at is None else at)[:, None].astype(np.float64)
    points = np.arange(1, n + 1, dtype=np.float64)[None, :]
    left = 1 + np.clip(x - (window + 1) // 2, 0, max(0, n - window))
    right = np.minimum(left + window - 1, n)
    reach = np.maximum(x - left, right - x) + max(0, window - n) // 2
    distance = np.abs(points - x)
    share = np.minimum(distance / reach, 1.0) if reach.all() else np.where(distance > 0, 1.0, 0.0)
    weights = np.where(distance <= 0.001 * reach, 1.0, (1 - share**3) ** 3)
    weights[(distance > 0.999 * reach) | (points < left) | (points > right)] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    if degree == 1:
        centre = (weights * points).sum(axis=1, keepdims=True)
        spread = (weights * (points - centre) ** 2).sum(axis=1, keepdims=True)
        is_sloped = np.sqrt(spread) > 0.001 * (n - 1)
        slope = np.where(is_sloped, (x - centre) / np.where(is_sloped, spread, 1.0), 0.0)
        weights = weights * (1 + slope * (points - centre))
    return weights


def _cycle_smoother(n: int, period: int, window: int) -> FloatArray:
    """Each phase of the season smoothed over the seasons and carried on by one at both ends.

    Returns:
        Point, from a period before the first to a period after the last, by point of the series.
    """
    smoother = np.zeros((n + 2 * period, n))
    for phase in range(period):
        k = len(range(phase, n, period))
        weights = _loess(k, window, 0, np.arange(k + 2))
        smoother[phase::period][: k + 2, phase::period] = weights
    return smoother


def _moving_averages(n: int, period: int) -> FloatArray:
    """Means of a period, of a period again and of three points, each shorter than what it is of."""
    product = np.eye(n)
    for width in (period, period, 3):
        sums = np.cumsum(np.vstack([np.zeros((1, n)), product]), axis=0)
        product = (sums[width:] - sums[:-width]) / width
    return product
