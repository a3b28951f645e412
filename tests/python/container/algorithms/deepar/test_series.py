"""Training windows beside a plain loop: what each step holds, and how often each is drawn."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from salescast.container.algorithms.deepar.scale import CategoryScales
from salescast.container.algorithms.deepar.series import (
    FeatureRules,
    Windows,
    WindowSampler,
    feature_statistics,
)
from salescast.container.records import Record, parse_record

pytestmark = pytest.mark.torch

PAST, CONTEXT, WINDOW = 9, 5, 3
MEAN, SCALE = 7.0, 2.5
# One of exactly a window, one of a point more, and some with history; two over the same weeks.
LENGTHS = (WINDOW, WINDOW + 1, 12, 30, 47, 47)
RULES = FeatureRules("W", use_time_features=True, use_age=True, means=(MEAN,), scales=(SCALE,))


def target_of(number: int, step: int) -> float | None:
    """A value that no other step of any series has; every fifth week is missing."""
    return None if step % 5 == 3 else 1000.0 * (number + 1) + step


def feature_of(number: int, step: int) -> float:
    return 100.0 * number + step**2 % 17


def day_of(number: int, step: int) -> dt.date:
    return dt.date(2023, 11, 3) + dt.timedelta(weeks=min(number, 4) + step)


def a_series(number: int, n_steps: int, n_future: int = 0) -> Record:
    return parse_record(
        {
            "start": f"{day_of(number, 0)} 00:00:00",
            "target": [target_of(number, step) for step in range(n_steps)],
            "cat": [number, 0],
            "dynamic_feat": [[feature_of(number, step) for step in range(n_steps + n_future)]],
        },
        f"series {number}",
    )


RECORDS = [a_series(number, n_steps) for number, n_steps in enumerate(LENGTHS)]


def a_sampler(**changes: Any) -> WindowSampler:
    values: dict[str, Any] = {
        "use_cat": True,
        "context_length": CONTEXT,
        "past_length": PAST,
        "window": WINDOW,
        "weights": np.ones(len(RECORDS)),
        "category_scales": CategoryScales(1.0),
    }
    return WindowSampler(RECORDS, RULES, **(values | changes))


def draws(sampler: WindowSampler, n_windows: int, seed: int = 1) -> Windows:
    return sampler.draw(np.random.default_rng(seed), n_windows)


def place_of(windows: Windows, row: int) -> tuple[int, int]:
    """Series of a window and the step at which its `window` begins, told by a value in it."""
    number = int(windows.cat[row][0])
    value, offset = next(
        (float(value), offset)
        for offset, value in enumerate(windows.future_target[row])
        if value != 0
    )
    return number, round(value) - 1000 * (number + 1) - offset


def features_at(number: int, step: int) -> list[float]:
    """Day of the month, week of the year, age and the series' own feature of one week."""
    if not 0 <= step < LENGTHS[number]:
        return [0.0] * 4
    day = day_of(number, step)
    return [
        (day.day - 1) / 30 - 0.5,
        (day.isocalendar().week - 1) / 52 - 0.5,
        math.log10(2 + step),
        (feature_of(number, step) - MEAN) / SCALE,
    ]


def window_by_loop(number: int, start: int) -> dict[str, list[Any]]:
    target: list[float] = []
    observed: list[float] = []
    features: list[list[float]] = []
    for step in range(start - PAST, start + WINDOW):
        value = target_of(number, step) if 0 <= step < LENGTHS[number] else None
        target.append(0.0 if value is None else value)
        observed.append(0.0 if value is None else 1.0)
        if step >= start - CONTEXT:
            features.append(features_at(number, step))
    return {
        "past_target": target[:PAST],
        "past_observed": observed[:PAST],
        "past_features": features[:CONTEXT],
        "future_target": target[PAST:],
        "future_observed": observed[PAST:],
        "future_features": features[CONTEXT:],
    }


def test_a_window_holds_what_a_plain_loop_reads_at_its_start() -> None:
    windows = draws(a_sampler(), 400)
    seen = set()
    for row in range(400):
        number, start = place_of(windows, row)
        seen.add((number, start))
        for name, expected in window_by_loop(number, start).items():
            np.testing.assert_allclose(
                getattr(windows, name)[row],
                expected,
                rtol=1e-5,
                atol=1e-6,
                err_msg=f"{name} of series {number} at step {start}",
            )
    assert len(seen) > 60


def test_a_missing_week_is_not_an_observed_zero() -> None:
    windows = draws(a_sampler(), 400)
    observed = np.concatenate((windows.past_observed, windows.future_observed), axis=1)
    target = np.concatenate((windows.past_target, windows.future_target), axis=1)
    assert set(np.unique(observed)) == {0.0, 1.0}
    # No series sells nothing, so each zero is a week without a value.
    np.testing.assert_array_equal(observed == 0, target == 0)


def test_a_window_begins_anywhere_that_leaves_it_inside_the_series_with_history_before_it() -> None:
    windows = draws(a_sampler(), 4000)
    places = Counter(place_of(windows, row) for row in range(4000))
    expected = {(0, 0)} | {
        (number, start)
        for number, n_steps in enumerate(LENGTHS)
        for start in range(1, n_steps - WINDOW + 1)
    }
    assert set(places) == expected


def test_every_start_of_a_series_is_drawn_as_often() -> None:
    only_last = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    windows = draws(a_sampler(weights=only_last), 20_000)
    counts = Counter(place_of(windows, row) for row in range(20_000))
    n_starts = LENGTHS[-1] - WINDOW
    assert len(counts) == n_starts
    even = 20_000 / n_starts
    assert max(abs(count - even) for count in counts.values()) < 5 * math.sqrt(even)


@pytest.mark.parametrize(
    "weights", [(1, 1, 1, 1, 1, 1), (1, 2, 3, 4, 10, 0.5), (0.5, 0, 0.25, 0, 0, 0.25)]
)
def test_series_are_drawn_by_their_weights(weights: tuple[float, ...]) -> None:
    sampler = a_sampler(weights=np.array(weights, dtype=float))
    generator = np.random.default_rng(2)
    counts = np.zeros(len(RECORDS))
    for _ in range(50):
        counts += np.bincount(sampler.draw(generator, 40).cat[:, 0], minlength=len(RECORDS))
    np.testing.assert_allclose(counts / 2000, np.array(weights) / sum(weights), atol=0.005)


def test_other_draws_are_other_windows() -> None:
    sampler = a_sampler()
    first, same = draws(sampler, 50), draws(sampler, 50)
    np.testing.assert_array_equal(first.past_target, same.past_target)
    assert not np.array_equal(first.past_target, draws(sampler, 50, seed=2).past_target)


def test_without_cat_all_series_have_one_category() -> None:
    windows = draws(a_sampler(use_cat=False), 50)
    assert windows.cat.tolist() == [[0]] * 50


@pytest.mark.parametrize("number", [2, 4])
def test_features_reach_into_the_weeks_ahead_at_their_own_dates(number: int) -> None:
    n_steps = LENGTHS[number] - 4
    matrix = RULES.matrix(a_series(number, n_steps, n_future=4), LENGTHS[number])
    assert RULES.n_features == 4
    expected = [features_at(number, step) for step in range(LENGTHS[number])]
    np.testing.assert_allclose(matrix, expected, rtol=1e-12)


def test_features_that_are_left_out_leave_the_others_in_place() -> None:
    record = RECORDS[3]
    whole = RULES.matrix(record, LENGTHS[3])
    ages = FeatureRules("W", use_time_features=False, use_age=True, means=(), scales=())
    np.testing.assert_array_equal(ages.matrix(record, LENGTHS[3]), whole[:, 2:3])
    none = FeatureRules("W", use_time_features=False, use_age=False, means=(), scales=())
    np.testing.assert_array_equal(none.matrix(record, LENGTHS[3]), np.zeros((LENGTHS[3], 1)))


def test_feature_statistics_are_over_all_weeks_of_all_series() -> None:
    (mean,), (scale,) = feature_statistics(RECORDS)
    values = [feature_of(number, step) for number, n in enumerate(LENGTHS) for step in range(n)]
    assert mean == pytest.approx(np.mean(values))
    assert scale == pytest.approx(np.std(values))
