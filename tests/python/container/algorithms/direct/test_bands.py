"""How much wider the bands get."""

from __future__ import annotations

import numpy as np
import pytest

from salescast.container.algorithms.direct.bands import stretch_of

from .test_forecasts import answers, fitted, record, seasonal_series, values


def test_half_of_what_errors_tell_is_taken_in_logarithms() -> None:
    generator = np.random.default_rng(0)
    error = np.abs(generator.normal(size=20_000))
    p90 = 1.2816
    assert stretch_of(error, np.full(20_000, p90)) == pytest.approx(1, abs=0.02)
    assert stretch_of(error, np.full(20_000, p90 / 2)) == pytest.approx(2**0.5, abs=0.02)
    assert stretch_of(error, np.full(20_000, p90 * 2)) == 1
    assert stretch_of(error, np.full(20_000, p90 / 100)) == 2
    assert stretch_of(error, np.zeros(20_000)) == 2


def test_a_few_errors_tell_nothing() -> None:
    assert stretch_of(np.full(199, 5.0), np.ones(199)) == 1
    assert stretch_of(np.full(500, -5.0), np.ones(500)) == 1


def test_what_changes_in_the_last_weeks_widens_the_bands() -> None:
    calm = seasonal_series(60, 100)
    jumpy = calm.copy()
    generator = np.random.default_rng(4)
    jumpy[:, -13:] *= np.exp(generator.normal(size=(60, 1)))
    stretches = []
    for series in (calm, jumpy):
        model = fitted([record(row) for row in series], steps=60)
        stretches.append(model.stretch)
        found = values(answers(model, [record(row, ahead=13) for row in series[:3]]))
        assert (np.diff(found[:, 1:], axis=1) >= 0).all()
    assert stretches[1][0] > stretches[0][0] or stretches[1][1] > stretches[0][1]


def test_series_that_are_younger_than_the_weeks_held_back() -> None:
    model = fitted([record(row) for row in seasonal_series(40, 13)], steps=3)
    assert model.stretch == (1.0, 1.0)
