"""What all series of the training records together have told, and its saved form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from salescast.container.algorithm import ModelInputs
from salescast.container.checks import Summary
from salescast.container.errors import ContractError
from salescast.container.records import FloatArray, Record
from salescast.container.weekly.batches import trainable
from salescast.container.weekly.groups import group_sales, make_groups
from salescast.container.weekly.inputs import Rules
from salescast.container.weekly.levels import LEVELS
from salescast.container.weekly.panel import (
    BEFORE,
    SEASON,
    Panel,
    Weeks,
    make_panel,
    usable_target,
)

GROUPS = "group_sales"
"""Name of the saved array."""

TWO_YEARS_HISTORY = 130
"""Weeks of history from which half a year's targets have known weeks two years back."""

SCALE_FLOOR = 0.001
"""A series' scale is at least this share of the mean of all series."""

LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, eq=False)
class Chain:
    """What all series together have told; a forecast needs beside it only its own series.

    Attributes:
        inputs: Which records a model takes.
        feature_sizes: What each feature is divided by.
        smallest_scale: What a series' scale is at least.
        rules: What makes inputs of a series.
        new_quantiles: Quantiles, at LEVELS, of the series' means: the forecast of a series that
            was never observed.
        first_week: Number of the first week of `group_sales`.
        group_sales: Sales of all series, and of those of each code, by week.
    """

    inputs: ModelInputs
    feature_sizes: tuple[float, ...]
    smallest_scale: float
    rules: Rules
    new_quantiles: tuple[float, ...]
    first_week: int
    group_sales: FloatArray

    @cached_property
    def groups(self) -> Weeks:
        """The group sales with their sums."""
        return make_groups(self.group_sales, self.first_week)

    def panel(self, records: Sequence[Record]) -> Panel:
        """Records to forecast, side by side, with the features of the weeks ahead.

        Raises:
            ContractError: A target is too large, or cat or dynamic_feat have another size.
        """
        return make_panel(
            records,
            feature_sizes=np.array(self.feature_sizes),
            cardinality=self.rules.cardinality,
            ahead=self.inputs.prediction_length,
            smallest_scale=self.smallest_scale,
        )

    def new_series(self) -> FloatArray:
        """Forecast of a series that was never observed: LEVELS by week."""
        horizon = self.inputs.prediction_length
        return np.repeat(np.array(self.new_quantiles)[:, None], horizon, axis=1)


def measure(
    records: Sequence[Record], prediction_length: int, time_freq: str, summary: Summary
) -> tuple[Chain, Panel, int]:
    """Lay the training records side by side; the order of the records does not matter.

    Returns:
        What they tell, the series, and the weeks of the longest one.

    Raises:
        ContractError: A target is too large, or no series has two weeks.
    """
    for record in records:
        usable_target(record)
    observed = sorted((r for r in records if r.n_observed), key=Record.content_hash)
    means = np.array([np.nanmean(record.target) for record in observed])
    sizes = np.array([np.nanmean(np.abs(record.target)) for record in observed])
    n_positions = len(summary.cardinality)
    cardinality = tuple(
        int(max(record.cat[position] for record in observed)) + 1 for position in range(n_positions)
    )
    feature_sizes = _feature_sizes(observed, summary.num_dynamic_feat)
    panel = make_panel(
        observed,
        feature_sizes=feature_sizes,
        cardinality=cardinality,
        ahead=0,
        smallest_scale=SCALE_FLOOR * float(sizes.mean()),
    )
    usable = trainable(panel)
    if not len(usable):
        raise ContractError("train: no series has a week after its first observed one")
    n_weeks = int((panel.end - panel.first).max()) + 1
    logs = np.log(panel.scales(usable, panel.end[usable]))
    chain = Chain(
        inputs=ModelInputs(
            prediction_length=prediction_length,
            time_freq=time_freq,
            cardinality=None,
            num_dynamic_feat=summary.num_dynamic_feat or None,
            weekday=summary.weekday,
        ),
        feature_sizes=tuple(feature_sizes.tolist()),
        smallest_scale=panel.smallest_scale,
        rules=Rules(
            cardinality=cardinality,
            own=_own_features(observed, summary.num_dynamic_feat),
            moves=_moving_features(panel),
            log_mean=float(logs.mean()),
            log_deviation=max(float(logs.std()), LEAST_DEVIATION),
            longest_lead=min(prediction_length, n_weeks - 1),
            two_years=n_weeks >= TWO_YEARS_HISTORY,
        ),
        new_quantiles=tuple(np.quantile(means, LEVELS).tolist()),
        first_week=panel.weeks.origin + BEFORE,
        group_sales=group_sales(panel, cardinality),
    )
    return chain, panel, n_weeks


def _feature_sizes(records: Sequence[Record], n_features: int) -> FloatArray:
    sizes = np.zeros(n_features)
    for record in records:
        if n_features and record.dynamic_feat.shape[1]:
            np.maximum(sizes, np.abs(record.dynamic_feat).max(axis=1), out=sizes)
    return np.where(sizes > 0, sizes, 1.0)


def _own_features(records: Sequence[Record], n_features: int) -> tuple[bool, ...]:
    """Whether series differ in a feature in one week, all of them ending in the same."""
    longest = max(records, key=lambda record: len(record.target)).dynamic_feat
    own = np.zeros(n_features, dtype=np.bool_)
    for record in records if n_features else ():
        shown = record.dynamic_feat
        own |= (longest[:, longest.shape[1] - shown.shape[1] :] != shown).any(axis=1)
    return tuple(own.tolist())


def _moving_features(panel: Panel) -> tuple[bool, ...]:
    """Whether a feature differs from a year before, in a week whose year before is known."""
    weeks = np.arange(SEASON, panel.weeks.last + 1)
    is_known = (weeks - SEASON >= panel.first[:, None]) & (weeks <= panel.end[:, None])
    shown = panel.features[:, : panel.weeks.last + 1]
    return tuple(
        bool(((shown[:, SEASON:, n] != shown[:, :-SEASON, n]) & is_known).any())
        for n in range(shown.shape[2])
    )


def content_of(chain: Chain) -> dict[str, Any]:
    """All of it but `group_sales`, for a JSON file."""
    return {
        "inputs": asdict(chain.inputs),
        "feature_sizes": chain.feature_sizes,
        "smallest_scale": chain.smallest_scale,
        "rules": asdict(chain.rules),
        "new_quantiles": chain.new_quantiles,
        "first_week": chain.first_week,
    }


def chain_of(content: Mapping[str, Any], sales: Any) -> Chain:
    """A chain from its content and its group sales.

    Raises:
        ValueError, KeyError, TypeError: They are not those of one.
    """
    inputs, rules = ModelInputs(**content["inputs"]), content["rules"]
    count("prediction_length", inputs.prediction_length)
    cardinality = tuple(count("cardinality", size) for size in rules["cardinality"])
    chain = Chain(
        inputs=inputs,
        feature_sizes=tuple(positive("feature_sizes", size) for size in content["feature_sizes"]),
        smallest_scale=positive("smallest_scale", content["smallest_scale"]),
        rules=Rules(
            cardinality=cardinality,
            own=tuple(_flag("own", value) for value in rules["own"]),
            moves=tuple(_flag("moves", value) for value in rules["moves"]),
            log_mean=number("log_mean", rules["log_mean"]),
            log_deviation=positive("log_deviation", rules["log_deviation"]),
            longest_lead=count("longest_lead", rules["longest_lead"]),
            two_years=_flag("two_years", rules["two_years"]),
        ),
        new_quantiles=tuple(number("new_quantiles", each) for each in content["new_quantiles"]),
        first_week=count("first_week", content["first_week"]),
        group_sales=sales,
    )
    sizes = {len(chain.rules.own), len(chain.rules.moves), len(chain.feature_sizes)}
    if sizes != {inputs.num_dynamic_feat or 0}:
        raise ValueError("the number of features is not one")
    if len(chain.new_quantiles) != len(LEVELS):
        raise ValueError(f"new_quantiles are {len(chain.new_quantiles)}")
    shape = (1 + sum(cardinality), max(sales.shape[-1], 1))
    check_array(GROUPS, sales, np.float64, shape)
    return chain


def check_array(name: str, array: Any, dtype: type, shape: tuple[int, ...]) -> None:
    """Refuse an array of another type or shape, or with infinite numbers."""
    if array.dtype != dtype or array.shape != shape or np.isinf(array).any():
        raise ValueError(f"{name} is an array of {array.dtype} {array.shape}")


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name} is {value!r:.20}")
    return value


def count(name: str, value: Any) -> int:
    """Refuse what is no whole number from 1 on."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is {value!r:.20}")
    return value


def number(name: str, value: Any) -> float:
    """Refuse what is no finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r:.20}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Refuse what is no finite number above 0."""
    if number(name, value) <= 0:
        raise ValueError(f"{name} is {value!r:.20}")
    return float(value)
