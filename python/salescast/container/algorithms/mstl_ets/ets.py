"""Exponential smoothing with additive errors, without and with a damped trend: a grid for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from salescast.container.records import FloatArray

LEVEL_ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
TREND_ALPHAS = (0.05, 0.2, 0.4, 0.6, 0.8)
TREND_SHARES = (0.02, 0.1, 0.3)
DAMPINGS = (0.9, 0.98)

# Squared errors below this share of a series' mean square are those of the arithmetic.
NO_ERROR = 1e-20


@dataclass(frozen=True)
class Grid:
    """Candidates.

    Attributes:
        alpha: Share of an error that goes into the level.
        beta: Share of an error that goes into the trend; 0 without one.
        phi: What is left of the trend after a step; 0 without one.
    """

    alpha: FloatArray
    beta: FloatArray
    phi: FloatArray

    @property
    def n_states(self) -> npt.NDArray[np.int64]:
        """First level, and first trend where there is one."""
        return np.where(self.phi > 0, 2, 1)

    @property
    def n_parameters(self) -> npt.NDArray[np.int64]:
        """What AICc counts: first states, shares, damping, and the size of the errors."""
        return np.where(self.phi > 0, 6, 3)


def _make_grid() -> Grid:
    damped = [
        (alpha, share * alpha, phi)
        for phi in DAMPINGS
        for share in TREND_SHARES
        for alpha in TREND_ALPHAS
    ]
    rows = np.array([*((alpha, 0.0, 0.0) for alpha in LEVEL_ALPHAS), *damped])
    return Grid(rows[:, 0], rows[:, 1], rows[:, 2])


GRID = _make_grid()
"""What a series chooses among, those without a trend first."""


@dataclass(frozen=True)
class Fitted:
    """What was chosen for each series.

    Attributes:
        choice: Its candidate.
        level: Last level.
        trend: Last trend; 0 without one.
        squared_errors: Sum of the squared errors of one step.
        n_states: First states that were fitted.
    """

    choice: npt.NDArray[np.int64]
    level: FloatArray
    trend: FloatArray
    squared_errors: FloatArray
    n_states: npt.NDArray[np.int64]


def fit_ets(values: FloatArray, grid: Grid = GRID) -> Fitted:
    """Choose for each series the candidate with the lowest AICc, its first states by least squares.

    Args:
        values: Series by point, none missing.
        grid: The candidates.
    """
    n_series, n = values.shape
    offset = values.mean(axis=1, keepdims=True)
    centred = values - offset
    # Errors and last states are linear in the first ones: those of a start at 0, and what each
    # first state adds to them, which is the same for every series.
    level = np.zeros((n_series, len(grid.alpha)))
    trend = np.zeros_like(level)
    unit_level = np.stack([np.ones_like(grid.alpha), np.zeros_like(grid.alpha)])
    unit_trend = np.stack([np.zeros_like(grid.alpha), (grid.phi > 0).astype(np.float64)])
    squares = np.zeros_like(level)
    moments = np.zeros((2, *level.shape))
    gram = np.zeros((2, 2, len(grid.alpha)))
    for point in range(n):
        damped = grid.phi * trend
        level += damped
        error = centred[:, point, None] - level
        level += grid.alpha * error
        trend = damped + grid.beta * error
        unit_damped = grid.phi * unit_trend
        unit_error = -(unit_level + unit_damped)
        unit_level = (grid.alpha - 1) * unit_error
        unit_trend = unit_damped + grid.beta * unit_error
        squares += error * error
        moments += unit_error[:, None, :] * error
        gram += unit_error[:, None, :] * unit_error
    first_level, first_trend = _least_squares(gram, moments)
    squares += first_level * moments[0] + first_trend * moments[1]
    floor = NO_ERROR + NO_ERROR * n * np.square(values).mean(axis=1, keepdims=True)
    choice = np.argmin(_aicc(np.maximum(squares, floor), n, grid), axis=1)

    def chosen(array: FloatArray) -> FloatArray:
        return np.take_along_axis(array, choice[:, None], axis=1)[:, 0]

    last_level = level + first_level * unit_level[0] + first_trend * unit_level[1]
    last_trend = trend + first_level * unit_trend[0] + first_trend * unit_trend[1]
    return Fitted(
        choice=choice,
        level=chosen(last_level) + offset[:, 0],
        trend=chosen(last_trend),
        squared_errors=np.maximum(chosen(squares), 0.0),
        n_states=grid.n_states[choice],
    )


def _least_squares(gram: FloatArray, moments: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First level and trend that make the squared errors least: series by candidate.

    One point, or a candidate without a trend, tells only a level.
    """
    determinant = gram[0, 0] * gram[1, 1] - gram[0, 1] ** 2
    is_two = determinant > 1e-12 * gram[0, 0] * np.maximum(gram[1, 1], 1.0)
    safe = np.where(is_two, determinant, 1.0)
    level = (gram[0, 1] * moments[1] - gram[1, 1] * moments[0]) / safe
    trend = (gram[0, 1] * moments[0] - gram[0, 0] * moments[1]) / safe
    return np.where(is_two, level, -moments[0] / gram[0, 0]), np.where(is_two, trend, 0.0)


def _aicc(squares: FloatArray, n: int, grid: Grid) -> FloatArray:
    k = grid.n_parameters
    if n <= k.min() + 1:
        # Too few points to choose by: the first candidate, which is nearest to their mean.
        return np.zeros_like(squares)
    penalty = np.full(k.shape, np.inf)
    can = n > k + 1
    penalty[can] = 2 * k[can] * (1 + (k[can] + 1) / (n - k[can] - 1))
    # The last digits depend on the order of additions; of equals the first is taken.
    return np.asarray(np.round(n * np.log(squares) + penalty, 6))


def mean_ahead(fitted: Fitted, horizon: int, grid: Grid = GRID) -> FloatArray:
    """Forecast of each step ahead: series by step."""
    phi = grid.phi[fitted.choice][:, None]
    steps = np.arange(1, horizon + 1)
    return fitted.level[:, None] + np.cumsum(phi**steps, axis=1) * fitted.trend[:, None]


def variance_ahead(horizon: int, grid: Grid = GRID) -> FloatArray:
    """Variance of each step ahead where that of one step is 1: candidate by step."""
    phi = grid.phi[:, None]
    steps = np.arange(1, horizon)
    carried = grid.alpha[:, None] + grid.beta[:, None] * np.cumsum(phi**steps, axis=1)
    return 1 + np.concatenate([np.zeros_like(phi), np.cumsum(carried**2, axis=1)], axis=1)
