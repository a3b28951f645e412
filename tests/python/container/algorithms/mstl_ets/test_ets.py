"""The grid against exponential smoothing one point after another, and against statsforecast's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from salescast.container.algorithms.mstl_ets.ets import (
    GRID,
    Grid,
    fit_ets,
    mean_ahead,
    variance_ahead,
)
from salescast.container.records import FloatArray

PLACE = np.arange(130)
SERIES = (
    100
    + np.cumsum(3 * np.sin(PLACE / 9) + ((PLACE * PLACE * 37) % 17 - 8) / 4)
    + 1.0 * ((PLACE**3) % 7)
)


def one(alpha: float, beta: float = 0.0, phi: float = 0.0) -> Grid:
    return Grid(np.array([alpha]), np.array([beta]), np.array([phi]))


def run(
    y: FloatArray, alpha: float, beta: float, phi: float, level: float, trend: float
) -> tuple[FloatArray, float, float]:
    """Errors of one step, last level and last trend."""
    errors = []
    for value in y:
        expected = level + phi * trend
        error = value - expected
        level = expected + alpha * error
        trend = phi * trend + beta * error
        errors.append(error)
    return np.array(errors), level, trend


def by_least_squares(y: FloatArray, alpha: float, beta: float, phi: float) -> FloatArray:
    """The first level and trend with the smallest squared errors, from the errors of three runs."""
    none, _, _ = run(y, alpha, beta, phi, 0, 0)
    units = [run(y, alpha, beta, phi, 1, 0)[0] - none]
    if phi > 0:
        units.append(run(y, alpha, beta, phi, 0, 1)[0] - none)
    first, *_ = np.linalg.lstsq(np.stack(units, axis=1), -none, rcond=None)
    return np.append(first, [0.0] * (2 - len(first)))


@pytest.mark.parametrize("candidate", range(0, 41, 4))
def test_a_candidate_is_smoothing_point_by_point(candidate: int) -> None:
    alpha, beta, phi = (float(values[candidate]) for values in (GRID.alpha, GRID.beta, GRID.phi))
    generator = np.random.default_rng(candidate)
    series = 1000 + generator.normal(size=(3, 60)).cumsum(axis=1) * 20
    fitted = fit_ets(series, one(alpha, beta, phi))
    for number, y in enumerate(series):
        errors, level, trend = run(y, alpha, beta, phi, *by_least_squares(y, alpha, beta, phi))
        np.testing.assert_allclose(fitted.squared_errors[number], (errors**2).sum(), rtol=1e-8)
        np.testing.assert_allclose(fitted.level[number], level, rtol=1e-9)
        np.testing.assert_allclose(fitted.trend[number], trend, rtol=1e-6, atol=1e-8)


@dataclass(frozen=True)
class Theirs:
    """`ets_f` of statsforecast 2.1.1 on SERIES, and `forecast_ets` of it; half widths hold 80 %.

    Of the means only the first: with a damped trend it adds the first power of phi twice.
    """

    shares: tuple[float, float, float]
    squared_errors: float
    level: float
    trend: float
    first_mean: float
    half_widths: tuple[float, float, float]


LEVEL = Theirs(
    (0.9046770405051388, 0.0, 0.0),
    2729.055020314632,
    137.8490333757263,
    0.0,
    137.8490333757263,
    (5.964265374008306, 17.25102793825306, 24.26391174628924),
)
TREND = Theirs(
    (0.00010058240588934798, 0.19385576112660183, 0.98),
    1786.1070640033688,
    136.71557700612894,
    3.424728592926433,
    140.07181102719684,
    (4.883568388003567, 15.532915780638177, 40.6904704622514),
)


@pytest.mark.parametrize("theirs", [LEVEL, TREND], ids=["level", "damped trend"])
def test_statsforecast_has_the_same_errors_forecasts_and_widths(theirs: Theirs) -> None:
    grid = one(*theirs.shares)
    fitted = fit_ets(SERIES[None], grid)
    # It looks for the first states, which here are those with the smallest errors.
    assert fitted.squared_errors[0] <= theirs.squared_errors * (1 + 1e-12)
    np.testing.assert_allclose(fitted.squared_errors[0], theirs.squared_errors, rtol=2e-3)
    np.testing.assert_allclose(fitted.level[0], theirs.level, rtol=2e-3)
    np.testing.assert_allclose(fitted.trend[0], theirs.trend, rtol=2e-2)
    np.testing.assert_allclose(mean_ahead(fitted, 1, grid)[0, 0], theirs.first_mean, rtol=1e-3)
    growth = np.sqrt(variance_ahead(20, grid)[0, [0, 9, 19]])
    expected = np.array(theirs.half_widths) / theirs.half_widths[0]
    np.testing.assert_allclose(growth, expected, rtol=1e-6)


@pytest.mark.parametrize("candidate", [3, 12, 30])
def test_a_forecast_is_smoothing_without_errors(candidate: int) -> None:
    alpha, beta, phi = (float(values[candidate]) for values in (GRID.alpha, GRID.beta, GRID.phi))
    grid = one(alpha, beta, phi)
    fitted = fit_ets(SERIES[None], grid)
    means = mean_ahead(fitted, 12, grid)[0]
    level, trend = float(fitted.level[0]), float(fitted.trend[0])
    for mean in means:
        level, trend = level + phi * trend, phi * trend
        assert mean == pytest.approx(level)
    errors, _, _ = run(means, alpha, beta, phi, float(fitted.level[0]), float(fitted.trend[0]))
    np.testing.assert_allclose(errors, 0, atol=1e-9)


def test_each_series_takes_the_candidate_with_the_lowest_aicc() -> None:
    generator = np.random.default_rng(7)
    noise = generator.normal(size=(4, 100))
    steady, walk = 50 + noise[0], 50 + noise[1].cumsum() * 5
    drift = 50 + (noise[2] * 0.1 + 1).cumsum()
    fitted = fit_ets(np.stack([steady, walk, drift]))
    assert GRID.alpha[fitted.choice[0]] <= 0.1
    assert GRID.alpha[fitted.choice[1]] >= 0.8
    assert GRID.phi[fitted.choice[2]] == 0.98
    assert fitted.n_states.tolist() == [1, 1, 2]


def test_the_choice_is_that_of_all_candidates_one_after_another() -> None:
    n = 30
    generator = np.random.default_rng(11)
    drift = generator.normal(size=(40, 1)) * 0.6
    series = 50 + (generator.normal(size=(40, n)) + drift).cumsum(axis=1)
    series += generator.normal(size=series.shape)
    chosen = fit_ets(series).choice
    for number, y in enumerate(series):
        scores = []
        for alpha, beta, phi in zip(GRID.alpha, GRID.beta, GRID.phi, strict=True):
            errors, _, _ = run(y, alpha, beta, phi, *by_least_squares(y, alpha, beta, phi))
            k = 6 if phi else 3
            scores.append(n * np.log((errors**2).sum()) + 2 * k + 2 * k * (k + 1) / (n - k - 1))
        assert chosen[number] == np.argmin(scores)
    assert 0 < np.count_nonzero(GRID.phi[chosen]) < 40


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 12])
def test_few_points_are_forecast_by_a_level(n: int) -> None:
    fitted = fit_ets(np.full((2, n), 8.0))
    np.testing.assert_allclose(mean_ahead(fitted, 3), np.full((2, 3), 8.0), rtol=1e-12)
    assert fitted.squared_errors.tolist() == pytest.approx([0, 0], abs=1e-20)
    if n < 8:
        assert (GRID.phi[fitted.choice] == 0).all()


def test_zeros_stay_zeros() -> None:
    fitted = fit_ets(np.zeros((1, 90)))
    assert mean_ahead(fitted, 4).tolist() == [[0.0] * 4]
    assert fitted.choice.tolist() == [0]
