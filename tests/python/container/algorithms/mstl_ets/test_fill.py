"""Gaps are filled from the series' own points."""

from __future__ import annotations

import numpy as np

from salescast.container.algorithms.mstl_ets.fill import fill_gaps

NAN = np.nan


def test_a_gap_takes_last_seasons_point_times_the_change_of_level() -> None:
    values = np.array([[10.0, 40.0, 20.0, 30.0, 20.0, NAN, 40.0, 60.0]])
    filled = fill_gaps(values, 4)
    # All known pairs around it have doubled.
    assert filled.tolist() == [[10, 40, 20, 30, 20, 80, 40, 60]]


def test_a_gap_in_the_first_season_takes_the_next_seasons_point() -> None:
    values = np.array([[10.0, NAN, 20.0, 30.0, 20.0, 80.0, 40.0, 60.0]])
    assert fill_gaps(values, 4).tolist() == [[10, 40, 20, 30, 20, 80, 40, 60]]


def test_a_gap_that_no_season_knows_lies_between_its_neighbours() -> None:
    values = np.array([[1.0, NAN, NAN, 4.0, NAN], [NAN, 2.0, NAN, 6.0, 7.0]])
    assert fill_gaps(values, 52).tolist() == [[1, 2, 3, 4, 4], [2, 2, 4, 6, 7]]


def test_the_change_of_level_has_bounds_and_needs_sales() -> None:
    far = np.array([[1.0, 5.0, 1.0, 1.0, 90.0, NAN, 90.0, 90.0]])
    assert fill_gaps(far, 4)[0, 5] == 15
    negative = np.array([[-1.0, 5.0, -1.0, -1.0, 90.0, NAN, 90.0, 90.0]])
    assert fill_gaps(negative, 4)[0, 5] == 5


def test_what_is_known_stays_and_each_series_is_filled_alone() -> None:
    generator = np.random.default_rng(3)
    values = generator.gamma(2, 50, size=(6, 130))
    values[generator.random(values.shape) < 0.2] = NAN
    values[:, 5] = 1.0
    filled = fill_gaps(values, 52)
    known = ~np.isnan(values)
    assert not np.isnan(filled).any()
    assert (filled[known] == values[known]).all()
    for row in range(6):
        assert (fill_gaps(values[row : row + 1], 52) == filled[row]).all()


def test_without_a_gap_nothing_is_done() -> None:
    values = np.ones((2, 3))
    assert fill_gaps(values, 52) is values
