"""How wide bands are: by the formula, and by what all series' last points tell."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from salescast.container.algorithms.mstl_ets.decompose import look_ahead
from salescast.container.algorithms.mstl_ets.widths import (
    BAND_STARTS,
    Widths,
    formula_deviation,
    learn_widths,
)

ONES = ((1.0,) * 5,) * len(BAND_STARTS)


@pytest.mark.parametrize("n", [85, 104, 143])
def test_the_formula_knows_what_a_season_of_few_years_costs(n: int) -> None:
    noise = np.random.default_rng(n).normal(size=(400, n + 13))
    ahead = look_ahead(list(noise[:, :n]), 13, period=52, window=11)
    scores = (noise[:, n:] - ahead.mean) / formula_deviation(ahead, 1.0)
    assert np.sqrt(np.mean(scores**2)) == pytest.approx(1.0, abs=0.07)


def test_a_learnt_width_moves_its_own_lead_band_kind_and_quantiles() -> None:
    rows = [(1.0,) * 5] * len(BAND_STARTS)
    rows[1] = (0.5, 1.0, 1.0, 2.0, 3.0)
    seasonal, plain = Widths(tuple(rows), ONES, 1.0).scores([0.1, 0.4, 0.5, 0.9, 0.95, 0.999], 9)
    normal = [NormalDist().inv_cdf(level) for level in (0.1, 0.4, 0.5, 0.9, 0.95, 0.999)]
    np.testing.assert_allclose(plain, np.repeat(np.array(normal)[:, None], 9, axis=1))
    np.testing.assert_allclose(seasonal[:, [0, 3, 8]], plain[:, [0, 3, 8]])
    expected = np.array(normal) * [2.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    np.testing.assert_allclose(seasonal[:, 4:8], np.repeat(expected[:, None], 4, axis=1))


def test_levels_between_the_learnt_ones_stay_in_order() -> None:
    steep = ((0.4, 0.4, 0.4, 1.0, 0.9),) * len(BAND_STARTS)
    levels = [number / 200 for number in range(1, 200)]
    seasonal, _ = Widths(steep, ONES, 1.0).scores(levels, 2)
    assert (np.diff(seasonal, axis=0) > 0).all()
    between = seasonal[levels.index(0.85), 0] / NormalDist().inv_cdf(0.85)
    low, high = (NormalDist().inv_cdf(level) for level in (0.8, 0.9))
    share = np.log(NormalDist().inv_cdf(0.85) / low) / np.log(high / low)
    assert between == pytest.approx(0.4 * (1.0 / 0.4) ** share)


def test_a_series_teaches_only_the_kind_of_forecast_that_it_gets() -> None:
    """Shorn of its last weeks a series of 90 is too short for a season: that tells nothing."""
    series = list(np.random.default_rng(1).normal(100, 9, size=(80, 90)))
    widths = learn_widths(series, horizon=20, period=52, window=11)
    assert widths.plain == ONES
    assert widths.seasonal[0] != ONES[0]
    assert widths.seasonal[2:] == (widths.seasonal[1],) * 3


def test_few_errors_teach_nothing() -> None:
    series = list(np.random.default_rng(1).normal(100, 9, size=(3, 120)))
    assert learn_widths(series, horizon=13, period=52, window=11).seasonal == ONES


def test_a_horizon_below_the_step_of_origins_is_learnt_from_its_own_length() -> None:
    series = list(np.random.default_rng(1).normal(100, 9, size=(150, 120)))
    widths = learn_widths(series, horizon=2, period=52, window=11)
    assert widths.seasonal[0] != ONES[0]


def test_gaps_are_not_errors() -> None:
    values = np.random.default_rng(1).normal(100, 9, size=(150, 120))
    values[:, -4:] = np.nan
    assert learn_widths(list(values), horizon=4, period=52, window=11).seasonal == ONES
