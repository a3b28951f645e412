"""Batches, the optimizer and the learning rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from salescast.container.algorithms.direct.training import (
    FIRST_MOMENTUM,
    LARGEST_NORM,
    PEAK_RATE,
    SECOND_MOMENTUM,
    WEIGHT_DECAY,
    AdamW,
    rates,
)
from salescast.container.records import FloatArray
from salescast.container.weekly.batches import batches
from salescast.container.weekly.groups import group_sales, make_groups
from salescast.container.weekly.inputs import GATED, RAW, Inputs, Rules, make_inputs
from salescast.container.weekly.panel import (
    BEFORE,
    SALES,
    SEASON,
    Panel,
    Weeks,
    make_panel,
    make_weeks,
)

from .test_forecasts import N_FEATURES, record, seasonal_series, training_records

CARDINALITY = (4, 5)
RULES = Rules(
    cardinality=CARDINALITY,
    own=(False, False, True),
    moves=(True, True, True),
    log_mean=5.0,
    log_deviation=1.0,
    longest_lead=13,
    two_years=True,
)


def some_panel(n: int = 130) -> Panel:
    return make_panel(
        training_records(n),
        feature_sizes=np.ones(N_FEATURES),
        cardinality=CARDINALITY,
        ahead=0,
        smallest_scale=0.1,
    )


def groups_of(panel: Panel) -> Weeks:
    return make_groups(group_sales(panel, CARDINALITY), panel.weeks.origin + BEFORE)


def hidden_after(panel: Panel, week: int) -> Panel:
    """The panel as it was in a week."""
    values = panel.weeks.sales.astype(np.float64)
    values[:, week + 1 :] = np.nan
    return replace(panel, weeks=make_weeks(values, panel.weeks.origin))


@pytest.mark.parametrize("kind", [GATED, RAW])
def test_inputs_hold_nothing_after_the_cutoff_but_features(kind: str) -> None:
    panel = hidden_after(some_panel(), BEFORE + 129)
    groups = groups_of(panel)
    series = np.arange(40)
    for week in (BEFORE + 75, BEFORE + 100):
        cutoff = np.full(40, week)
        leads = np.tile([1, 13, 29], (40, 1))
        past = hidden_after(panel, week)
        full = make_inputs(panel, groups, series, cutoff, leads, RULES, kind)
        cut = make_inputs(past, groups_of(past), series, cutoff, leads, RULES, kind)
        for name, values in vars(full).items():
            np.testing.assert_array_equal(values, vars(cut)[name], err_msg=name)


def test_candidates_are_what_was_sold() -> None:
    target = 100 + np.arange(130.0)
    target[[129 - 51, 129 - 40]] = np.nan
    panel = make_panel(
        [record(target, (0, 0), ahead=13)],
        feature_sizes=np.ones(N_FEATURES),
        cardinality=(1, 1),
        ahead=60,
        smallest_scale=0.1,
    )
    rules = replace(RULES, cardinality=(1, 1))
    groups = make_groups(group_sales(panel, (1, 1)), panel.weeks.origin + BEFORE)
    inputs = make_inputs(
        panel, groups, np.array([0]), panel.end, np.array([[1, 4, 60]]), rules, GATED
    )
    year = target[-52:]
    assert inputs.scale[0] == pytest.approx(np.nanmean(year))
    found = inputs.candidates[0] * inputs.scale[0]
    # Weeks 50 to 54 before the first week ahead; the one of 52 before is missing.
    last_year = target[129 - np.array([49, 50, 51, 52, 53])]
    assert found[0, :5] == pytest.approx(
        np.where(np.isnan(last_year), np.nanmean(last_year), last_year), rel=1e-5
    )
    assert found[0, 5:8] == pytest.approx(target[129 - np.array([102, 103, 104])], rel=1e-5)
    assert found[0, 8:11] == pytest.approx([target[-13:].mean(), target[-4:].mean(), 229], rel=1e-5)
    # 60 weeks ahead it is the year before last year.
    assert found[2, :5] == pytest.approx(target[129 - np.array([42, 43, 44, 45, 46])], rel=1e-5)
    # The only series is its own group: a year ago it sold this share of its level of then.
    profile = target[129 - 48] / np.nanmean(target[129 - 52 - 12 : 129 - 51])
    assert found[1, 11:] == pytest.approx([profile * target[-13:].mean()] * 3, rel=1e-5)


def test_features_show_as_moves_where_last_year_is_known() -> None:
    panel = some_panel()
    series, cutoff = np.array([0]), np.array([BEFORE + 70])
    leads = np.array([[3]])
    week = cutoff + 3
    ahead, before = panel.features[0, week][0], panel.features[0, week - SEASON][0]
    own = ahead[2]
    args = (groups_of(panel), series, cutoff, leads)
    gated = make_inputs(panel, *args, RULES, GATED)
    assert gated.lead[0, 0, :4] == pytest.approx([*(ahead - before), own])
    assert gated.linear[0, 0] == pytest.approx(ahead - before)
    still = make_inputs(panel, *args, replace(RULES, moves=(True, True, False)), GATED)
    assert still.lead[0, 0, :4] == pytest.approx([*(ahead - before)[:2], 0, own])
    raw = make_inputs(panel, *args, RULES, RAW)
    assert raw.lead[0, 0, :6] == pytest.approx([*ahead, *before])
    assert raw.linear.shape == (1, 1, 0)
    early = make_inputs(panel, args[0], series, np.array([BEFORE + 20]), leads, RULES, GATED)
    assert early.lead[0, 0, :3] == pytest.approx(panel.features[0, BEFORE + 23])


def test_batches_are_of_weeks_that_series_have() -> None:
    panel = some_panel()
    drawn = list(batches(panel, groups_of(panel), RULES, RAW, 13, 3, np.random.default_rng(0)))
    for batch in drawn:
        assert isinstance(batch.inputs, Inputs)
        assert np.isfinite(batch.target).all()
        assert 0.8 < batch.weight.mean() <= 1
        # The last series has a single week, and the one before it sells nothing.
        assert (batch.inputs.scale > 0).all()
    assert (drawn[0].target != drawn[1].target).any()


def test_sums_are_those_of_the_weeks() -> None:
    values = np.full((1, BEFORE + 60 + 2), np.nan)
    values[0, BEFORE:-2] = seasonal_series(1, 60)[0]
    values[0, BEFORE + 30] = np.nan
    weeks = make_weeks(values, 100)
    (total,) = weeks.totals(np.array([0]), np.array([BEFORE + 35]), np.array([4, 13]))
    assert total[:, SALES] == pytest.approx(
        [np.nansum(values[0, BEFORE + 36 - n : BEFORE + 36]) for n in (4, 13)]
    )


def reference_adamw(weights: FloatArray, gradients: FloatArray, rate: float) -> FloatArray:
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step, gradient in enumerate(gradients, start=1):
        norm = np.sqrt((gradient**2).sum())
        gradient = gradient * min(1.0, LARGEST_NORM / norm)
        first = FIRST_MOMENTUM * first + (1 - FIRST_MOMENTUM) * gradient
        second = SECOND_MOMENTUM * second + (1 - SECOND_MOMENTUM) * gradient**2
        weights = weights * (1 - rate * WEIGHT_DECAY)
        move = first / (1 - FIRST_MOMENTUM**step)
        weights = weights - rate * move / (np.sqrt(second / (1 - SECOND_MOMENTUM**step)) + 1e-8)
    return weights


def test_the_optimizer_is_adamw_with_clipping() -> None:
    generator = np.random.default_rng(0)
    begin = generator.normal(size=6).astype(np.float32)
    gradients = generator.normal(size=(5, 6)) * np.array([1, 1, 1, 20, 1])[:, None]
    flat = begin.copy()
    optimizer = AdamW(flat, np.zeros_like(flat), np.zeros_like(flat))
    for gradient in gradients.astype(np.float32):
        optimizer.step(gradient, 0.01)
    np.testing.assert_allclose(flat, reference_adamw(begin, gradients, 0.01), rtol=1e-5)


def test_the_rate_goes_up_and_down_once() -> None:
    found = rates(800)
    assert found.max() == pytest.approx(PEAK_RATE, rel=1e-3)
    assert found[0] == pytest.approx(PEAK_RATE / 25)
    assert found[-1] == pytest.approx(0, abs=1e-9)
    peak = int(found.argmax())
    assert peak == pytest.approx(240, abs=2)
    assert (np.diff(found[:peak]) > 0).all()
    assert (np.diff(found[peak:]) < 0).all()
    assert len(rates(1)) == 1
