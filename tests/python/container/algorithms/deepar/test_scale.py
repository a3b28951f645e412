"""The scale of a series without an observation in its context, in windows and in forecasts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from salescast.container.algorithms.deepar.network import (
    CONFIG_FILE,
    build_network,
    load_model,
    unroll,
)
from salescast.container.algorithms.deepar.scale import (
    CategoryScales,
    fit_category_scales,
    last_scale,
)
from salescast.container.algorithms.deepar.series import FeatureRules, WindowSampler
from salescast.container.paths import ContainerPaths
from salescast.container.records import Record, parse_record

from ...conftest import Container
from ...lines import Lines

pytestmark = pytest.mark.torch

NAN = float("nan")


def a_record(target: list[float | None], cat: list[int] | None = None) -> Record:
    fields: dict[str, Any] = {"start": "2025-01-03 00:00:00", "target": target}
    return parse_record(fields | ({} if cat is None else {"cat": cat}), "series")


# ---- what the scale is -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "scale"),
    [
        ([1.0, 2.0, -6.0], 4.0),
        ([9.0, 1.0, NAN, 3.0, NAN, NAN, NAN], 2.0),
        ([5.0, *[NAN] * 300], 5.0),
        ([0.0, 0.0, NAN], 0.0),
        ([NAN, NAN], None),
        ([], None),
    ],
)
def test_a_scale_is_the_mean_size_of_the_last_observations(
    target: list[float], scale: float | None
) -> None:
    assert last_scale(np.array(target), 2) == scale


def test_a_code_of_one_position_is_as_large_as_the_mean_of_its_series() -> None:
    records = [a_record([size] * 3, [code]) for size, code in ((10, 0), (30, 0), (900, 1))]
    scales = fit_category_scales(records, (2,), 3)
    assert scales.of((0,)) == pytest.approx(20)
    assert scales.of((1,)) == pytest.approx(900)


def test_crossed_codes_multiply() -> None:
    sizes = {(0, 0): 10, (0, 1): 100, (0, 2): 1000, (1, 0): 20, (1, 1): 200}
    records = [a_record([size] * 3, list(codes)) for codes, size in sizes.items()]
    # Store 1 sells twice what store 0 does, and has never had department 2.
    assert fit_category_scales(records, (2, 3), 3).of((1, 2)) == pytest.approx(2000, rel=1e-3)


def test_codes_that_mean_the_same_do_not_count_twice() -> None:
    records = [a_record([size] * 3, [code, code]) for code, size in enumerate((10, 1000))]
    scales = fit_category_scales(records, (2, 2), 3)
    assert [scales.of((code, code)) for code in (0, 1)] == pytest.approx([10, 1000])


def test_a_code_without_an_observed_series_takes_the_rest() -> None:
    records = [a_record([40.0] * 3, [0, 0]), a_record([40.0] * 3, [0, 1])]
    assert fit_category_scales(records, (2, 2), 3).of((1, 1)) == pytest.approx(40)


def test_without_codes_it_is_the_mean_of_all() -> None:
    scales = fit_category_scales([a_record([10.0, None, 30.0]), a_record([50.0])], (), 3)
    assert scales.of(()) == pytest.approx(30)


# ---- training windows ------------------------------------------------------------------------


def test_windows_with_an_empty_context_have_the_scale_of_what_came_before() -> None:
    gone = a_record([7.0, 5.0, 3.0, *[None] * 20, 8.0], [0])
    late = a_record([*[None] * 9, 1000.0, 1000.0], [1])
    sampler = WindowSampler(
        [gone, late],
        FeatureRules("W", use_time_features=False, use_age=False, means=(), scales=()),
        use_cat=True,
        context_length=2,
        past_length=4,
        window=1,
        weights=np.ones(2),
        category_scales=CategoryScales(100.0, ((0.5, 10.0),)),
    )
    windows = sampler.draw(np.random.default_rng(3), 400)
    empty = ~windows.past_observed[:, -2:].any(axis=1)
    scales = windows.unobserved_scale[:, 0]
    assert set(scales[empty & (windows.cat[:, 0] == 0)]) == {4.0}
    assert set(scales[empty & (windows.cat[:, 0] == 1)]) == {1000.0}


# ---- the network -----------------------------------------------------------------------------


def steady(size: float, n_weeks: int = 40) -> list[float | None]:
    return [size + week % 4 * size / 50 for week in range(n_weeks)]


def chain(with_cat: bool) -> Lines:
    """Ten series of about 100 and ten of about 3000, told apart by cat."""
    lines: Lines = []
    for number in range(20):
        code = number % 2
        target = steady((100.0, 3000.0)[code] * (1 + number / 100))
        lines.append({"start": "2025-01-03 00:00:00", "target": target})
        if with_cat:
            lines[-1]["cat"] = [code]
    return lines


def trained(container: Container, *, with_cat: bool = True) -> Container:
    settings = {"epochs": "8", "num_batches_per_epoch": "8", "learning_rate": "0.01"}
    assert container.train(chain(with_cat), **settings) == 0
    return container


def means(container: Container, lines: Lines) -> list[float]:
    assert container.transform(lines) == 0
    return [float(np.mean(answer["mean"])) for answer in container.answers()]


def test_an_observed_context_has_the_scale_that_gluonts_gives_it(container: Container) -> None:
    model = load_model(ContainerPaths(trained(container).root).model)
    network = build_network(model.config).double()
    observed = torch.ones((2, model.config.past_length), dtype=torch.float64)
    observed[1] = 0
    target = torch.arange(2 * observed.shape[1], dtype=torch.float64).view(2, -1)
    inputs = {
        "feat_static_cat": torch.zeros((2, 1), dtype=torch.int64),
        "feat_static_real": torch.zeros((2, 1), dtype=torch.float64),
        "past_time_feat": torch.zeros((2, 6, model.config.rules.n_features)).double(),
        "past_target": target,
        "past_observed_values": observed,
        "future_time_feat": torch.zeros((2, 1, model.config.rules.n_features)).double(),
    }
    given = torch.tensor([[5.0], [7.0]], dtype=torch.float64)
    _, ours, *_ = unroll(network, "student-T", given, **inputs)
    _, theirs, *_ = network.unroll_lagged_rnn(**inputs)
    assert ours[0] == theirs[0]
    assert ours[1] == 7


def test_a_series_that_stopped_before_its_context_is_forecast_at_its_own_level(
    container: Container,
) -> None:
    stopped: Lines = [
        {"start": "2025-01-03 00:00:00", "target": [*steady(5.0, 30), *[None] * n], "cat": [1]}
        for n in (2, 6, 60, 400)
    ]
    for mean in means(trained(container), stopped):
        assert 1 < mean < 15


def test_zeros_that_are_observed_are_forecast_again(container: Container) -> None:
    stopped = [*steady(5.0, 30), *[0.0] * 10]
    line = {"start": "2025-01-03 00:00:00", "target": stopped, "cat": [1]}
    assert means(trained(container), [line]) == pytest.approx([0], abs=1e-6)


@pytest.mark.parametrize("target", [[], [None], ["NaN"] * 30])
def test_a_new_series_is_forecast_from_its_categories(
    container: Container, target: list[Any]
) -> None:
    lines: Lines = [{"start": "2025-10-10", "target": target, "cat": [code]} for code in (0, 1)]
    small, large = means(trained(container), [*lines, *chain(with_cat=True)])[:2]
    assert small == pytest.approx(110, rel=0.5)
    assert large == pytest.approx(3300, rel=0.5)


def test_a_new_series_without_categories_has_the_mean_of_all(container: Container) -> None:
    line: dict[str, Any] = {"start": "2025-10-10", "target": []}
    [mean] = means(trained(container, with_cat=False), [line])
    assert mean == pytest.approx(1700, rel=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cat": [2]}, "line 1: cat[0] is 2, the model knows 0..1"),
        ({"start": "2025-10-11"}, "line 1: start 2025-10-11 is a Saturday"),
        ({"dynamic_feat": [[1.0] * 3]}, "line 1: dynamic_feat has 1 features"),
    ],
)
def test_a_new_series_is_checked_like_any_other(
    container: Container, changes: dict[str, Any], message: str
) -> None:
    line = {"start": "2025-10-10", "target": [], "cat": [0], **changes}
    assert trained(container).transform([line]) == 1
    assert message in container.failure


def test_a_model_of_the_first_format_still_forecasts(container: Container) -> None:
    lines = chain(with_cat=True)
    before = means(trained(container), lines)
    config = ContainerPaths(container.root).model / CONFIG_FILE
    fields = json.loads(config.read_text(encoding="utf-8"))
    del fields["category_factors"]
    config.write_text(json.dumps({**fields, "format_version": 1}), encoding="utf-8")
    new: dict[str, Any] = {"start": "2025-10-10", "target": [], "cat": [0]}
    *after, of_new = means(container, [*lines, new])
    assert after == before
    # It kept no factors: a new series is as large as the mean of all.
    assert of_new == pytest.approx(1700, rel=0.6)
