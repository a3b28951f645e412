"""What a job keeps of the series that it has seen, and the forecasts of any."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salescast.container.algorithm import Forecast, ModelInputs
from salescast.container.algorithms.mstl_ets.decompose import look_ahead
from salescast.container.algorithms.mstl_ets.hyperparameters import Hyperparameters
from salescast.container.algorithms.mstl_ets.widths import (
    BAND_STARTS,
    HELD_SHARES,
    Widths,
    formula_deviation,
    learn_widths,
)
from salescast.container.checks import Summary
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record

MODEL_FILE = "mstl_ets.json"
FORMAT_VERSION = 1
LARGEST_TARGET = 1e30


@dataclass(frozen=True)
class MstlEtsModel:
    """What all series together have told; a forecast needs beside it only its own series.

    Attributes:
        inputs: Which records it takes.
        season_length: Points a season.
        seasonal_window: Seasons that the seasonal smoother looks at.
        widths: How wide the bands are.
        new_mean: Mean of the series' means: the forecast of a series that was never observed.
        new_deviation: Standard deviation of the series' means.
    """

    inputs: ModelInputs
    season_length: int
    seasonal_window: int
    widths: Widths
    new_mean: float
    new_deviation: float


def fit(records: Sequence[Record], settings: Hyperparameters, summary: Summary) -> MstlEtsModel:
    """Learn how wide the bands must be; the forecasts themselves need nothing of other series.

    Raises:
        ContractError: A target is too large.
    """
    limit = settings.season_length * settings.seasonal_window
    series = [_history(record, limit) for record in records if record.n_observed]
    means = np.sort([np.nanmean(values) for values in series])
    return MstlEtsModel(
        inputs=ModelInputs(
            prediction_length=settings.prediction_length,
            time_freq=settings.time_freq,
            cardinality=None,
            num_dynamic_feat=None,
            weekday=summary.weekday,
        ),
        season_length=settings.season_length,
        seasonal_window=settings.seasonal_window,
        widths=learn_widths(
            series,
            horizon=settings.prediction_length,
            period=settings.season_length,
            window=settings.seasonal_window,
        ),
        new_mean=float(means.mean()),
        new_deviation=float(means.std()),
    )


def forecast(
    model: MstlEtsModel, records: Sequence[Record], config: InferenceConfig
) -> Iterator[Forecast]:
    """Yield the forecast of each record, in their order.

    Raises:
        ContractError: A target is too large.
    """
    horizon = model.inputs.prediction_length
    mean = np.full((len(records), horizon), model.new_mean)
    deviation = np.full((len(records), horizon), model.new_deviation)
    known = [place for place, record in enumerate(records) if record.n_observed]
    # Further back the seasonal smoother does not look.
    limit = model.season_length * model.seasonal_window
    ahead = look_ahead(
        [_history(records[place], limit) for place in known],
        horizon,
        period=model.season_length,
        window=model.seasonal_window,
    )
    mean[known] = ahead.mean
    deviation[known] = formula_deviation(ahead, model.widths.relative_variance)
    has_season = np.zeros(len(records), dtype=np.bool_)
    has_season[known] = ahead.has_season
    seasonal, plain = model.widths.scores(config.levels, horizon)
    for place, of_mean in enumerate(mean):
        scores = seasonal if has_season[place] else plain
        yield Forecast(mean=of_mean, quantiles=of_mean + scores * deviation[place])


def _history(record: Record, limit: int) -> FloatArray:
    """The last `limit` points of a target at most, from an observed one on.

    Raises:
        ContractError: It holds a value whose square no number is large enough for.
    """
    observed = np.flatnonzero(~np.isnan(record.target))
    if np.abs(record.target[observed]).max() > LARGEST_TARGET:
        raise ContractError(f"{record.where}: target holds a value beyond {LARGEST_TARGET:g}")
    recent = observed[observed >= len(record.target) - limit]
    return record.target[recent[0] if len(recent) else observed[-1] :]


def save_model(model: MstlEtsModel, folder: Path) -> None:
    """Write a model as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"format_version": FORMAT_VERSION, **asdict(model)}
    text = json.dumps(content, indent=1, allow_nan=False)
    (folder / MODEL_FILE).write_text(text + "\n", encoding="utf-8")


def load_model(folder: Path) -> MstlEtsModel:
    """Read a saved model.

    Raises:
        ContractError: The folder does not hold a model of this program.
    """
    try:
        content = json.loads((folder / MODEL_FILE).read_bytes())
        version = content.pop("format_version")
        if version != FORMAT_VERSION:
            raise ContractError(f"{MODEL_FILE}: format {version} is not known to this program")
        return _model_of(content)
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"{folder.name}: {NO_MODEL}: {error}") from error


def _model_of(content: Mapping[str, Any]) -> MstlEtsModel:
    inputs, widths = ModelInputs(**content["inputs"]), content["widths"]
    model = MstlEtsModel(
        inputs=inputs,
        season_length=content["season_length"],
        seasonal_window=content["seasonal_window"],
        widths=Widths(
            seasonal=_factors(widths["seasonal"]),
            plain=_factors(widths["plain"]),
            relative_variance=float(widths["relative_variance"]),
        ),
        new_mean=float(content["new_mean"]),
        new_deviation=float(content["new_deviation"]),
    )
    for name, value, least in (
        ("prediction_length", inputs.prediction_length, 1),
        ("season_length", model.season_length, 2),
        ("seasonal_window", model.seasonal_window, 3),
    ):
        if type(value) is not int or value < least:
            raise ValueError(f"{name} is {value!r:.20}")
    if not math.isfinite(model.new_mean) or not all(
        0 <= value < math.inf for value in (model.new_deviation, model.widths.relative_variance)
    ):
        raise ValueError("a size is no finite number")
    return model


def _factors(content: Sequence[Sequence[Any]]) -> tuple[tuple[float, ...], ...]:
    factors = tuple(tuple(map(float, row)) for row in content)
    if [len(row) for row in factors] != [len(HELD_SHARES)] * len(BAND_STARTS) or not all(
        0 < factor < math.inf for row in factors for factor in row
    ):
        raise ValueError(f"widths are {content!r:.40}")
    return factors
