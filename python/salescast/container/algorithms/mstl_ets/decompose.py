"""Forecasts of series of one length: their season by STL, the rest by exponential smoothing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from salescast.container.algorithms.mstl_ets.ets import fit_ets, mean_ahead, variance_ahead
from salescast.container.algorithms.mstl_ets.fill import fill_gaps
from salescast.container.algorithms.mstl_ets.stl import seasonal_operator
from salescast.container.records import FloatArray

LEAST_SEASONS = 1.53
"""Seasons that a series must reach back, 80 weeks, to be forecast with a season."""

N_TOGETHER = 1024
"""Series computed at once: their candidates stay in the processor's cache."""


@dataclass(frozen=True)
class Outlook:
    """Forecasts of some series.

    Attributes:
        mean: Series by step.
        one_step: Variance of the errors of one step.
        growth: Variance of each step ahead in that of one step: series by step.
        freedom: Degrees of freedom that the errors of one step had.
        mean_square: Mean square of each series.
        has_season: Whether it was forecast with a season.
    """

    mean: FloatArray
    one_step: FloatArray
    growth: FloatArray
    freedom: FloatArray
    mean_square: FloatArray
    has_season: npt.NDArray[np.bool_]


def least_history(period: int) -> int:
    """Points from the first observed one on that a forecast with a season needs."""
    return math.ceil(LEAST_SEASONS * period)


def look_ahead(series: Sequence[FloatArray], horizon: int, *, period: int, window: int) -> Outlook:
    """Forecast series of any lengths; each depends on itself alone.

    Args:
        series: Points of each, NaN where missing, the first one observed.
        horizon: Steps to forecast.
        period: Points a season.
        window: Seasons that the seasonal smoother looks at, odd.

    Returns:
        The forecasts in the order of the series.
    """
    n_series = len(series)
    found = Outlook(
        mean=np.empty((n_series, horizon)),
        one_step=np.empty(n_series),
        growth=np.empty((n_series, horizon)),
        freedom=np.empty(n_series),
        mean_square=np.empty(n_series),
        has_season=np.empty(n_series, dtype=np.bool_),
    )
    alike: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
    least = least_history(period)
    for place, values in enumerate(series):
        n_observed = int(np.count_nonzero(~np.isnan(values)))
        alike[len(values), len(values) >= least and 2 * n_observed >= least].append(place)
    for (_, has_season), places in sorted(alike.items()):
        for begin in range(0, len(places), N_TOGETHER):
            some = places[begin : begin + N_TOGETHER]
            values = np.stack([series[place] for place in some])
            part = _look_ahead(values, horizon, period, window if has_season else None)
            for field in fields(Outlook):
                getattr(found, field.name)[some] = getattr(part, field.name)
    return found


def _look_ahead(values: FloatArray, horizon: int, period: int, window: int | None) -> Outlook:
    """Forecast series of one length, with a season where there is a window."""
    n = values.shape[1]
    share_observed = np.mean(~np.isnan(values), axis=1)
    filled = fill_gaps(values, period)
    seasonal_ahead = seasonal_variance = np.zeros((1, horizon))
    n_seasonal = 0.0
    rest = filled
    if window is not None:
        operator = seasonal_operator(n, period, window)
        # Not by BLAS, whose sums differ in their last digits with the number of series.
        seasonal = np.einsum("ij,kj->ki", operator, filled)
        last_season = n - period + np.arange(horizon) % period
        rest = filled - seasonal
        seasonal_ahead = seasonal[:, last_season]
        # A season made of few points has taken up their errors: these are missing in what is
        # left, and come back in the forecast.
        n_seasonal = float(np.trace(operator))
        seasonal_variance = np.square(operator[last_season]).sum(axis=1)[None, :]
    fitted = fit_ets(rest)
    freedom = np.maximum(share_observed * (n - n_seasonal) - fitted.n_states, 0.0)
    return Outlook(
        mean=mean_ahead(fitted, horizon) + seasonal_ahead,
        one_step=fitted.squared_errors / np.maximum(freedom, 1.0),
        growth=variance_ahead(horizon)[fitted.choice] + seasonal_variance,
        freedom=freedom,
        mean_square=np.square(filled).mean(axis=1),
        has_season=np.full(len(values), window is not None),
    )
