"""The seasonal matrix against STL as it is written, point by point, and against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from salescast.container.algorithms.mstl_ets.stl import seasonal_operator
from salescast.container.records import FloatArray


def value_at(y: FloatArray, window: int, degree: int, x: int, left: int, right: int) -> float:
    """Local regression of the points `left` to `right`, counted from 1, at the place x."""
    n = len(y)
    reach = max(x - left, right - x)
    if window > n:
        reach += (window - n) // 2
    weights = []
    for j in range(left, right + 1):
        distance = abs(j - x)
        if distance > 0.999 * reach:
            weights.append(0.0)
        elif distance <= 0.001 * reach:
            weights.append(1.0)
        else:
            weights.append((1 - (distance / reach) ** 3) ** 3)
    total = sum(weights)
    weights = [weight / total for weight in weights]
    if degree:
        centre = sum(w * j for w, j in zip(weights, range(left, right + 1), strict=True))
        spread = sum(
            w * (j - centre) ** 2 for w, j in zip(weights, range(left, right + 1), strict=True)
        )
        if math.sqrt(spread) > 0.001 * (n - 1):
            slope = (x - centre) / spread
            weights = [
                w * (slope * (j - centre) + 1)
                for w, j in zip(weights, range(left, right + 1), strict=True)
            ]
    return float(sum(w * v for w, v in zip(weights, y[left - 1 : right], strict=True)))


def smooth(y: FloatArray, window: int, degree: int) -> FloatArray:
    n = len(y)
    if n < 2:
        return y.copy()
    half, left, right = (window + 1) // 2, 1, min(window, n)
    out = np.empty(n)
    for x in range(1, n + 1):
        if window < n and x > half and right != n:
            left, right = left + 1, right + 1
        out[x - 1] = value_at(y, window, degree, x, left, right)
    return out


def means_of(y: FloatArray, width: int) -> FloatArray:
    return np.array([y[i : i + width].mean() for i in range(len(y) - width + 1)])


def seasonal_by_loops(y: FloatArray, period: int, window: int) -> FloatArray:
    n = len(y)
    trend_window = math.ceil(1.5 * period / (1 - 1.5 / window))
    trend_window += trend_window % 2 == 0
    low_window = period + 1 + (period % 2 != 0)
    trend = np.zeros(n)
    for _ in range(5):
        rest = y - trend
        cycles = np.empty(n + 2 * period)
        for phase in range(period):
            part = rest[phase::period]
            k = len(part)
            before = value_at(part, window, 0, 0, 1, min(window, k))
            after = value_at(part, window, 0, k + 1, max(1, k - window + 1), k)
            cycles[phase::period] = [before, *smooth(part, window, 0), after]
        low = means_of(means_of(means_of(cycles, period), period), 3)
        seasonal = cycles[period : period + n] - smooth(low, low_window, 1)
        trend = smooth(y - seasonal, trend_window, 1)
    return seasonal


@pytest.mark.parametrize(
    ("n", "period", "window"),
    [
        (80, 52, 11),
        (91, 52, 11),
        (104, 52, 11),
        (131, 52, 11),
        (60, 12, 7),
        (41, 7, 3),
        (30, 4, 13),
    ],
)
def test_the_matrix_gives_the_seasonal_part_of_random_series(
    n: int, period: int, window: int
) -> None:
    generator = np.random.default_rng(n)
    operator = seasonal_operator(n, period, window)
    for _ in range(3):
        series = generator.normal(size=n).cumsum() + generator.normal(size=n)
        expected = seasonal_by_loops(series, period, window)
        np.testing.assert_allclose(operator @ series, expected, atol=1e-11)


def test_the_matrix_gives_what_statsmodels_gave() -> None:
    """STL(series, period=52, seasonal=11, seasonal_deg=0).fit().seasonal of statsmodels 0.15.0."""
    place = np.arange(130)
    series = 100 + 30 * np.sin(2 * np.pi * place / 52) + 7 * ((place * place) % 11) + 0.2 * place
    seasonal = seasonal_operator(130, 52, 11) @ series
    expected = [
        *(0.09653319612866251, -6.703962880854875, 3.0596248108290767, 16.599534757955052),
        *(-7.04485481829847, 0.8210829950522485, 16.31514505199973),
    ]
    np.testing.assert_allclose(seasonal[[0, 26, 51, 77, 78, 104, 129]], expected, rtol=1e-9)


def test_a_level_has_no_season() -> None:
    np.testing.assert_allclose(seasonal_operator(100, 52, 11) @ np.full(100, 7.0), 0, atol=1e-12)


def test_a_season_without_a_level_stays_as_it_is() -> None:
    wave = np.sin(2 * np.pi * np.arange(156) / 52)
    np.testing.assert_allclose(seasonal_operator(156, 52, 11) @ wave, wave, atol=0.02)


def test_a_matrix_is_shared_and_not_written_to() -> None:
    operator = seasonal_operator(90, 52, 11)
    assert seasonal_operator(90, 52, 11) is operator
    with pytest.raises(ValueError, match="read-only"):
        operator[0, 0] = 1.0
