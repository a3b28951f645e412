"""Records as arrays: features of each step, and training windows cut from padded series."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from gluonts.time_feature import (
    day_of_month,
    day_of_week,
    day_of_year,
    hour_of_day,
    minute_of_hour,
    month_of_year,
    week_of_year,
)

from salescast.container.algorithms.deepar.scale import CategoryScales, last_scale
from salescast.container.records import FloatArray, Record

Float32Array = npt.NDArray[np.float32]

_TIME_FEATURES = {
    "M": (month_of_year,),
    "W": (day_of_month, week_of_year),
    "D": (day_of_week, day_of_month, day_of_year),
    "H": (hour_of_day, day_of_week, day_of_month, day_of_year),
    "min": (minute_of_hour, hour_of_day, day_of_week, day_of_month, day_of_year),
}


@dataclass(frozen=True)
class FeatureRules:
    """How the features of a step are made.

    Attributes:
        time_freq: Frequency of the series.
        use_time_features: Whether calendar features of the step's own date are added.
        use_age: Whether the log of the steps since the first point is added.
        means: Mean of each dynamic_feat over the training series; empty if they are not used.
        scales: Standard deviation of each, 1 for a constant.
    """

    time_freq: str
    use_time_features: bool
    use_age: bool
    means: tuple[float, ...]
    scales: tuple[float, ...]

    @property
    def n_features(self) -> int:
        """Features of a step; never zero, since the network needs one."""
        n_time = len(_TIME_FEATURES[_unit(self.time_freq)]) if self.use_time_features else 0
        return max(1, n_time + int(self.use_age) + len(self.means))

    def matrix(self, record: Record, n_steps: int) -> FloatArray:
        """Features of a record's first n_steps steps, step by feature."""
        columns = []
        if self.use_time_features:
            index = step_times(record.start, n_steps, self.time_freq)
            columns += [make(index) for make in _TIME_FEATURES[_unit(self.time_freq)]]
        if self.use_age:
            columns.append(np.log10(2.0 + np.arange(n_steps)))
        if self.means:
            values = record.dynamic_feat[:, :n_steps]
            columns += list((values.T - np.array(self.means)).T / np.array(self.scales)[:, None])
        return np.stack(columns, axis=1) if columns else np.zeros((n_steps, 1))


def _unit(time_freq: str) -> str:
    return re.sub(r"\d", "", time_freq)


def step_times(start: dt.datetime, n_steps: int, time_freq: str) -> pd.DatetimeIndex:
    """Times of the steps as labelled by start, never moved to a calendar's own grid."""
    unit = _unit(time_freq)
    multiple = int(time_freq.removesuffix(unit) or 1)
    offsets: dict[str, pd.DateOffset | pd.Timedelta] = {
        "M": pd.DateOffset(months=multiple),
        "W": pd.Timedelta(days=7 * multiple),
        "D": pd.Timedelta(days=multiple),
        "H": pd.Timedelta(hours=multiple),
        "min": pd.Timedelta(minutes=multiple),
    }
    return pd.date_range(start, periods=n_steps, freq=offsets[unit])


def feature_statistics(records: Sequence[Record]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each dynamic_feat over all steps of the records."""
    count = sum(record.dynamic_feat.shape[1] for record in records)
    mean = np.sum([record.dynamic_feat.sum(axis=1) for record in records], axis=0) / count
    squares = np.sum(
        [((record.dynamic_feat.T - mean) ** 2).sum(axis=0) for record in records], axis=0
    )
    scale = np.sqrt(squares / count)
    # A constant feature carries nothing; what rounding leaves of its spread must not blow it up.
    scale = np.where(scale > 1e-9 * np.maximum(1.0, np.abs(mean)), scale, 1.0)
    return tuple(mean.tolist()), tuple(scale.tolist())


@dataclass(frozen=True)
class Windows:
    """A batch of training windows; series by step, features last.

    `unobserved_scale` is series by 1: the scale of those without an observation in their context.
    """

    cat: npt.NDArray[np.int64]
    past_target: Float32Array
    past_observed: Float32Array
    past_features: Float32Array
    future_target: Float32Array
    future_observed: Float32Array
    future_features: Float32Array
    unobserved_scale: Float32Array


class WindowSampler:
    """Draws random training windows by index from series padded into one array.

    A window is past_length points, zeros before the series begins, and `window` points after
    them, all inside the series. Equal feature matrices are kept once.
    """

    def __init__(
        self,
        records: Sequence[Record],
        rules: FeatureRules,
        *,
        use_cat: bool,
        context_length: int,
        past_length: int,
        window: int,
        weights: FloatArray,
        category_scales: CategoryScales,
    ) -> None:
        """Pad the records, which must have at least `window` points each.

        Args:
            records: Series to train on.
            rules: How features are made.
            use_cat: Whether cat is given to the network; otherwise it sees one constant category.
            context_length: Points before the forecast that the network is unrolled over.
            past_length: context_length and the longest lag.
            window: Points after the context.
            weights: How often each series is drawn, relative to the others.
            category_scales: How large a series is that no point of is known yet.
        """
        self._context_length = context_length
        self._past_length = past_length
        self._window = window
        self._shares = np.cumsum(weights / weights.sum())
        lengths = np.array([len(record.target) for record in records])
        width = past_length + int(lengths.max())
        self._target = np.zeros((len(records), width), dtype=np.float32)
        self._observed = np.zeros((len(records), width), dtype=np.float32)
        for row, record in enumerate(records):
            inside = slice(past_length, past_length + len(record.target))
            self._target[row, inside] = np.nan_to_num(record.target, nan=0.0)
            self._observed[row, inside] = ~np.isnan(record.target)
        self._cat = np.array(
            [record.cat if use_cat else (0,) for record in records], dtype=np.int64
        )
        self._category_scale = np.array(
            [category_scales.of(record.cat) for record in records], dtype=np.float32
        )
        # A window without any point before it says nothing about its scale.
        self._first_start = np.minimum(lengths - window, 1)
        self._n_starts = lengths - window - self._first_start + 1
        self._features, self._feature_row = _distinct_features(records, rules, width, past_length)

    def draw(self, generator: np.random.Generator, n_windows: int) -> Windows:
        """Draw windows: series by their weight, evenly spread, then any start inside each."""
        ticks = (np.arange(n_windows) + generator.random()) / n_windows
        rows = np.minimum(np.searchsorted(self._shares, ticks), len(self._target) - 1)
        uniform = generator.random(n_windows)
        starts = self._first_start[rows] + (uniform * self._n_starts[rows]).astype(np.int64)
        steps = starts[:, None] + np.arange(self._past_length + self._window)
        target = self._target[rows[:, None], steps]
        observed = self._observed[rows[:, None], steps]
        used = steps[:, self._past_length - self._context_length :]
        features = self._features[self._feature_row[rows][:, None], used]
        return Windows(
            cat=self._cat[rows],
            past_target=target[:, : self._past_length],
            past_observed=observed[:, : self._past_length],
            past_features=features[:, : self._context_length],
            future_target=target[:, self._past_length :],
            future_observed=observed[:, self._past_length :],
            future_features=features[:, self._context_length :],
            unobserved_scale=self._unobserved_scale(
                rows, starts, observed[:, self._past_length - self._context_length :]
            ),
        )

    def _unobserved_scale(
        self, rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], observed: Float32Array
    ) -> Float32Array:
        """What stands for the scale of windows whose context, the first of `observed`, is empty."""
        scale = self._category_scale[rows]
        for window in np.flatnonzero(~observed[:, : self._context_length].any(axis=1)):
            row, end = rows[window], starts[window] + self._past_length
            known = self._target[row, :end][self._observed[row, :end] > 0]
            own = last_scale(known, self._context_length)
            if own is not None:
                scale[window] = own
        return scale[:, None]


def _distinct_features(
    records: Sequence[Record], rules: FeatureRules, width: int, past_length: int
) -> tuple[Float32Array, npt.NDArray[np.int64]]:
    """Padded feature matrices without repeats, and the matrix of each record."""
    known: dict[bytes, int] = {}
    matrices: list[Float32Array] = []
    row_of = np.empty(len(records), dtype=np.int64)
    for row, record in enumerate(records):
        n_steps = len(record.target)
        key = record.start.isoformat().encode() + n_steps.to_bytes(8, "big")
        if rules.means:
            key += record.dynamic_feat.tobytes()
        if key not in known:
            known[key] = len(matrices)
            matrix = np.zeros((width, rules.n_features), dtype=np.float32)
            matrix[past_length : past_length + n_steps] = rules.matrix(record, n_steps)
            matrices.append(matrix)
        row_of[row] = known[key]
    return np.stack(matrices), row_of
