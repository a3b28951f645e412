"""How wide the bands must be, learnt from the last points of all series together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from salescast.container.algorithms.mstl_ets.decompose import Outlook, look_ahead
from salescast.container.records import FloatArray

BAND_STARTS = (1, 5, 9, 14, 27)
"""First step of each lead band; the last one has no end."""

ORIGIN_STEP = 4
N_ORIGINS = 8
"""Each series is forecast again from so many points, these steps apart, before its end."""

HELD_SHARES = (0.2, 0.4, 0.6, 0.8, 0.9)
"""Shares of the errors that bands hold whose widths are learnt: p40 to p60, ..., p05 to p95."""

MAIN_SHARE = 0.8

LEAST_ERRORS = 200
"""Errors that tell the width of a lead band; with fewer it has that of the band before."""

WEIGHT_OF_FORMULA = 4.0
"""Independent origins that the formula's own width counts as."""

WEIGHT_OF_NORMAL = 1000.0
"""Errors that the normal distribution's shape counts as."""

LARGEST_WIDTH = 3.0
LARGEST_TAIL = 2.0

LEAST_FREEDOM = 8.0
"""A series with fewer degrees of freedom takes what they lack of its errors' size from others."""


_NORMAL = np.array([NormalDist().inv_cdf((1 + share) / 2) for share in HELD_SHARES])
_MAIN = HELD_SHARES.index(MAIN_SHARE)


@dataclass(frozen=True)
class Widths:
    """What all series tell about the errors of each.

    Attributes:
        seasonal: For each lead band and each of HELD_SHARES, what the width of a forecast with a
            season is multiplied by.
        plain: The same for those without a season.
        relative_variance: Median, over the series, of a one-step error's variance in the mean
            square of its series.
    """

    seasonal: tuple[tuple[float, ...], ...]
    plain: tuple[tuple[float, ...], ...]
    relative_variance: float

    def scores(self, levels: Sequence[float], horizon: int) -> tuple[FloatArray, FloatArray]:
        """How many of the formula's deviations each quantile is away from the mean.

        Args:
            levels: Levels of the quantiles.
            horizon: Steps ahead.

        Returns:
            Level by step, of forecasts with a season and of those without one.
        """
        normal = np.array([NormalDist().inv_cdf(level) for level in levels])
        bands = np.searchsorted(BAND_STARTS, np.arange(1, horizon + 1), side="right") - 1
        # Straight between the learnt points in logarithms: a larger level never gets less.
        size = np.log(np.maximum(np.abs(normal), 1e-9))
        seasonal, plain = (
            np.stack([np.exp(np.interp(size, np.log(_NORMAL), np.log(row))) for row in of_kind])
            for of_kind in (self.seasonal, self.plain)
        )
        return (seasonal * normal)[bands].T, (plain * normal)[bands].T


def formula_deviation(ahead: Outlook, relative_variance: float) -> FloatArray:
    """Standard deviation of each step as a formula gives it: series by step."""
    own = np.minimum(ahead.freedom / LEAST_FREEDOM, 1.0)
    one_step = own * ahead.one_step + (1 - own) * relative_variance * ahead.mean_square
    return np.sqrt(one_step[:, None] * ahead.growth)


def learn_widths(series: Sequence[FloatArray], *, horizon: int, period: int, window: int) -> Widths:
    """Forecast the last points of each series from those before them; see how far off that is.

    A series teaches only the kind of forecast, with or without a season, that it gets itself.
    The order of the series does not matter.

    Args:
        series: Points of each, NaN where missing, the first one observed.
        horizon: Steps to forecast.
        period: Points a season.
        window: Seasons that the seasonal smoother looks at, odd.
    """
    whole = look_ahead(series, 1, period=period, window=window)
    is_sized = (whole.mean_square > 0) & (whole.freedom >= LEAST_FREEDOM)
    relative = whole.one_step[is_sized] / whole.mean_square[is_sized]
    relative_variance = float(np.median(relative)) if len(relative) else 1.0
    bands = range(len(BAND_STARTS))
    errors: dict[bool, list[list[FloatArray]]] = {
        kind: [[] for _ in bands] for kind in (True, False)
    }
    backs = range(ORIGIN_STEP, min(horizon, ORIGIN_STEP * N_ORIGINS) + 1, ORIGIN_STEP)
    for back in backs or (horizon,):
        places = [place for place, values in enumerate(series) if len(values) > back]
        if not places:
            break
        before = [series[place][:-back] for place in places]
        ahead = look_ahead(before, back, period=period, window=window)
        actual = np.stack([series[place][-back:] for place in places])
        deviation = formula_deviation(ahead, relative_variance)
        is_known = ~np.isnan(actual) & (deviation > 0)
        is_as_whole = ahead.has_season == whole.has_season[places]
        for kind, band in ((kind, band) for kind in errors for band in bands):
            steps = slice(BAND_STARTS[band] - 1, _end(band))
            used = is_known[:, steps] & (is_as_whole & (ahead.has_season == kind))[:, None]
            if used.any():
                missed = np.abs(actual - ahead.mean)[:, steps][used]
                errors[kind][band].append(missed / deviation[:, steps][used])
    return Widths(
        seasonal=_widths(errors[True], "with a season"),
        plain=_widths(errors[False], "without a season"),
        relative_variance=relative_variance,
    )


def _end(band: int) -> int | None:
    """Last step of a band; None for the last band."""
    return BAND_STARTS[band + 1] - 1 if band + 1 < len(BAND_STARTS) else None


def _widths(errors: Sequence[Sequence[FloatArray]], kind: str) -> tuple[tuple[float, ...], ...]:
    """Widths of each lead band, from its errors over the formula's deviations by origin."""
    widths: list[FloatArray] = []
    for band, of_band in enumerate(errors):
        n_errors = sum(map(len, of_band))
        if n_errors < LEAST_ERRORS:
            widths.append(widths[-1] if widths else np.ones(len(HELD_SHARES)))
            continue
        found = np.maximum(np.quantile(np.concatenate(of_band), HELD_SHARES) / _NORMAL, 1e-9)
        main = float(np.clip(found[_MAIN], 1 / LARGEST_WIDTH, LARGEST_WIDTH))
        shape = np.clip(found / found[_MAIN], 1 / LARGEST_TAIL, LARGEST_TAIL)
        # The whole chain may err together: how wide a band is, origins tell, and those that see
        # the same weeks count for less than their number. Its shape each series tells.
        length = (_end(band) or 2 * BAND_STARTS[band]) - BAND_STARTS[band] + 1
        n_origins = (ORIGIN_STEP * len(of_band) + length) / (ORIGIN_STEP + length)
        taken = main ** (n_origins / (n_origins + WEIGHT_OF_FORMULA))
        widths.append(taken * shape ** (n_errors / (n_errors + WEIGHT_OF_NORMAL)))
        print(
            f"{kind}, from step {BAND_STARTS[band]}: {n_errors} errors, {main:.2f} of the "
            f"formula's width, {taken:.2f} taken",
            flush=True,
        )
    return tuple(tuple(of_band.tolist()) for of_band in widths)
