"""What a job keeps of the series that it has seen, and the forecasts of any."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from salescast.container.algorithm import Forecast, ModelInputs
from salescast.container.algorithms.direct.bands import learn_stretch
from salescast.container.algorithms.direct.groups import group_sales, make_groups
from salescast.container.algorithms.direct.hyperparameters import Hyperparameters
from salescast.container.algorithms.direct.inputs import GATED, KINDS, RAW, Rules, make_inputs
from salescast.container.algorithms.direct.network import (
    LEVELS,
    MEDIAN,
    Sizes,
    n_weights,
    quantiles,
    sizes_of,
    views,
)
from salescast.container.algorithms.direct.panel import (
    BEFORE,
    SEASON,
    Float32Array,
    Panel,
    Weeks,
    make_panel,
    usable_target,
)
from salescast.container.algorithms.direct.training import train, trainable
from salescast.container.checks import Summary
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record

MODEL_FILE = "direct.json"
ARRAYS_FILE = "direct-arrays.npz"
GROUPS = "group_sales"
FORMAT_VERSION = 1

SHORT_HISTORY, LONG_HISTORY = 156, 260
"""Weeks of history between which dropout and steps go from the first to the second of each."""

DROPOUTS = (0.4, 0.1)
STEPS = (800, 1500)

RAW_HISTORY = 104
"""Weeks of history from which a network that sees both years' features has learnt from them."""

TWO_YEARS_HISTORY = 130
"""Weeks of history from which half a year's targets have known weeks two years back."""

SCALE_FLOOR = 0.001
"""A series' scale is at least this share of the mean of all series."""

LEAST_DEVIATION = 1e-3
CHUNK = 512
"""Series that are forecast at a time."""

_SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_MEAN_WEIGHTS = np.diff(np.concatenate([[0], (LEVELS[1:] + LEVELS[:-1]) / 2, [1]]))
"""The quantile function is level from halfway to one level to halfway to the next."""


@dataclass(frozen=True, eq=False)
class Network:
    """One trained network.

    Attributes:
        kind: How it sees features, GATED or RAW.
        flat: Its weights, one array after another.
    """

    kind: str
    flat: Float32Array


@dataclass(frozen=True, eq=False)
class DirectModel:
    """What all series together have told; a forecast needs beside it only its own series.

    Attributes:
        inputs: Which records it takes.
        feature_sizes: What each feature is divided by.
        smallest_scale: What a series' scale is at least.
        rules: What makes inputs of a series.
        n_hidden: Cells of each layer of the networks.
        networks: The mean of their quantiles is the forecast, before it is stretched.
        stretch: What the lower and the upper half of the bands are multiplied by.
        new_quantiles: Quantiles, at LEVELS, of the series' means: the forecast of a series that
            was never observed.
        first_week: Number of the first week of `group_sales`.
        group_sales: Sales of all series, and of those of each code, by week.
    """

    inputs: ModelInputs
    feature_sizes: tuple[float, ...]
    smallest_scale: float
    rules: Rules
    n_hidden: int
    networks: tuple[Network, ...]
    stretch: tuple[float, float]
    new_quantiles: tuple[float, ...]
    first_week: int
    group_sales: FloatArray

    @cached_property
    def groups(self) -> Weeks:
        """The group sales with their sums."""
        return make_groups(self.group_sales, self.first_week)

    def sizes(self, kind: str) -> Sizes:
        """How large a network is."""
        return sizes_of(self.rules, kind, self.n_hidden)


def fit(records: Sequence[Record], settings: Hyperparameters, summary: Summary) -> DirectModel:
    """Train the networks; the order of the records does not matter.

    Raises:
        ContractError: A target is too large.
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
    rules = Rules(
        cardinality=cardinality,
        own=_own_features(observed, summary.num_dynamic_feat),
        moves=_moving_features(panel),
        log_mean=float(logs.mean()),
        log_deviation=max(float(logs.std()), LEAST_DEVIATION),
        longest_lead=min(settings.prediction_length, n_weeks - 1),
        two_years=n_weeks >= TWO_YEARS_HISTORY,
    )
    model = DirectModel(
        inputs=ModelInputs(
            prediction_length=settings.prediction_length,
            time_freq=settings.time_freq,
            cardinality=None,
            num_dynamic_feat=summary.num_dynamic_feat or None,
            weekday=summary.weekday,
        ),
        feature_sizes=tuple(feature_sizes.tolist()),
        smallest_scale=panel.smallest_scale,
        rules=rules,
        n_hidden=settings.num_cells,
        networks=(),
        stretch=(1.0, 1.0),
        new_quantiles=tuple(np.quantile(means, LEVELS).tolist()),
        first_week=panel.weeks.origin + BEFORE,
        group_sales=group_sales(panel, cardinality),
    )
    return _with_networks(model, panel, n_weeks, settings)


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


def kinds_of(features: str, n_weeks: int) -> tuple[str, ...]:
    """Which networks are trained.

    Args:
        features: The hyperparameter.
        n_weeks: Weeks of history.
    """
    if features == "auto":
        features = "both" if n_weeks >= RAW_HISTORY else GATED
    return (GATED, RAW) if features == "both" else (features,)


def by_history(short: float, long: float, n_weeks: int) -> float:
    """What a setting is at some weeks of history: on the line between those of the two ends."""
    place = (n_weeks - SHORT_HISTORY) / (LONG_HISTORY - SHORT_HISTORY)
    return short + (long - short) * min(max(place, 0.0), 1.0)


def _with_networks(
    model: DirectModel, panel: Panel, n_weeks: int, settings: Hyperparameters
) -> DirectModel:
    n_steps = settings.steps or round(by_history(*STEPS, n_weeks))
    dropout = settings.dropout_rate
    if dropout is None:
        dropout = by_history(*DROPOUTS, n_weeks)
    networks = []
    for kind in kinds_of(settings.features, n_weeks):
        print(
            f"{kind} network, {n_weeks} weeks: {n_steps} steps, dropout {dropout:.2f}", flush=True
        )
        flat = train(
            panel,
            model.groups,
            model.rules,
            kind,
            model.sizes(kind),
            horizon=settings.prediction_length,
            n_steps=n_steps,
            dropout=dropout,
            generator=np.random.default_rng([settings.seed, KINDS.index(kind)]),
        )
        networks.append(Network(kind, flat))
    first = networks[0].kind
    stretch = learn_stretch(
        panel,
        model.groups,
        model.rules,
        first,
        model.sizes(first),
        horizon=settings.prediction_length,
        n_steps=max(n_steps // 2, 1),
        dropout=dropout,
        generator=np.random.default_rng([settings.seed, len(KINDS)]),
    )
    print(f"bands: {stretch[0]:.2f} below and {stretch[1]:.2f} above the median", flush=True)
    return replace(model, networks=tuple(networks), stretch=stretch)


def forecast(
    model: DirectModel, records: Sequence[Record], config: InferenceConfig
) -> Iterator[Forecast]:
    """Yield the forecast of each record, in their order.

    Raises:
        ContractError: A target is too large, or cat or dynamic_feat have another size.
    """
    for begin in range(0, len(records), CHUNK):
        chunk = records[begin : begin + CHUNK]
        for record, found in zip(chunk, _quantiles(model, chunk), strict=True):
            of_levels = found if record.n_observed else _new_series(model)
            yield Forecast(
                mean=_MEAN_WEIGHTS @ of_levels,
                quantiles=at_levels(of_levels, config.levels),
            )


def _new_series(model: DirectModel) -> FloatArray:
    horizon = model.inputs.prediction_length
    return np.repeat(np.array(model.new_quantiles)[:, None], horizon, axis=1)


def _quantiles(model: DirectModel, records: Sequence[Record]) -> FloatArray:
    """Record by LEVELS by week."""
    horizon = model.inputs.prediction_length
    panel = make_panel(
        records,
        feature_sizes=np.array(model.feature_sizes),
        cardinality=model.rules.cardinality,
        ahead=horizon,
        smallest_scale=model.smallest_scale,
    )
    series = np.arange(len(records))
    leads = np.broadcast_to(np.arange(1, horizon + 1), (len(records), horizon))
    total = np.zeros((len(records), len(LEVELS), horizon))
    for network in model.networks:
        inputs = make_inputs(
            panel, model.groups, series, panel.end, leads, model.rules, network.kind
        )
        found = quantiles(views(network.flat, model.sizes(network.kind)), inputs)
        total += found.transpose(0, 2, 1) * inputs.scale[:, None, None]
    middle = total[:, [MEDIAN]]
    stretch = np.where(np.arange(len(LEVELS)) < MEDIAN, *model.stretch)
    return (middle + stretch[:, None] * (total - middle)) / len(model.networks)


def at_levels(of_levels: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Quantiles at any levels, on lines between those at LEVELS over the normal's.

    Args:
        of_levels: LEVELS by week.
        levels: Those wanted; beyond the outermost of LEVELS the last line goes on.

    Returns:
        Level by week.
    """
    scores = np.array([NormalDist().inv_cdf(level) for level in levels])
    left = np.clip(np.searchsorted(_SCORES, scores, side="right") - 1, 0, len(LEVELS) - 2)
    place = (scores - _SCORES[left]) / (_SCORES[left + 1] - _SCORES[left])
    return np.asarray(of_levels[left] + place[:, None] * (of_levels[left + 1] - of_levels[left]))


def save_model(model: DirectModel, folder: Path) -> None:
    """Write a model as JSON and arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format_version": FORMAT_VERSION,
        "inputs": asdict(model.inputs),
        "feature_sizes": model.feature_sizes,
        "smallest_scale": model.smallest_scale,
        "rules": asdict(model.rules),
        "n_hidden": model.n_hidden,
        "kinds": [network.kind for network in model.networks],
        "stretch": model.stretch,
        "new_quantiles": model.new_quantiles,
        "first_week": model.first_week,
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    (folder / MODEL_FILE).write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {
        f"network_{n}": network.flat for n, network in enumerate(model.networks)
    }
    arrays[GROUPS] = model.group_sales
    np.savez(folder / ARRAYS_FILE, allow_pickle=False, **arrays)


def load_model(folder: Path) -> DirectModel:
    """Read a saved model.

    Raises:
        ContractError: The folder does not hold a model of this program.
    """
    try:
        content = json.loads((folder / MODEL_FILE).read_bytes())
        version = content.pop("format_version")
        if version != FORMAT_VERSION:
            raise ContractError(f"{MODEL_FILE}: format {version} is not known to this program")
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _model_of(content, arrays)
    except ContractError:
        raise
    except Exception as error:
        # Damaged arrays fail in any way that zip files and numpy know.
        raise ContractError(f"{folder.name}: {NO_MODEL}: {error}") from error


def _model_of(content: Mapping[str, Any], arrays: dict[str, Any]) -> DirectModel:
    inputs, rules = ModelInputs(**content["inputs"]), content["rules"]
    _count("prediction_length", inputs.prediction_length)
    lower, upper = content["stretch"]
    cardinality = tuple(_count("cardinality", size) for size in rules["cardinality"])
    model = DirectModel(
        inputs=inputs,
        feature_sizes=tuple(_size("feature_sizes", size) for size in content["feature_sizes"]),
        smallest_scale=_size("smallest_scale", content["smallest_scale"]),
        rules=Rules(
            cardinality=cardinality,
            own=tuple(_flag("own", value) for value in rules["own"]),
            moves=tuple(_flag("moves", value) for value in rules["moves"]),
            log_mean=_number("log_mean", rules["log_mean"]),
            log_deviation=_size("log_deviation", rules["log_deviation"]),
            longest_lead=_count("longest_lead", rules["longest_lead"]),
            two_years=_flag("two_years", rules["two_years"]),
        ),
        n_hidden=_count("n_hidden", content["n_hidden"]),
        networks=(),
        stretch=(_size("stretch", lower), _size("stretch", upper)),
        new_quantiles=tuple(_number("new_quantiles", each) for each in content["new_quantiles"]),
        first_week=_count("first_week", content["first_week"]),
        group_sales=arrays.pop(GROUPS),
    )
    sizes = {len(model.rules.own), len(model.rules.moves), len(model.feature_sizes)}
    if sizes != {inputs.num_dynamic_feat or 0}:
        raise ValueError("the number of features is not one")
    if len(model.new_quantiles) != len(LEVELS):
        raise ValueError(f"new_quantiles are {len(model.new_quantiles)}")
    shape = (1 + sum(cardinality), max(model.group_sales.shape[-1], 1))
    _check_array(GROUPS, model.group_sales, np.float64, shape)
    kinds = content["kinds"]
    if not kinds or not set(kinds) <= set(KINDS) or len(arrays) != len(kinds):
        raise ValueError(f"networks are {kinds!r:.40}, with {len(arrays)} arrays")
    networks = []
    for number, kind in enumerate(kinds):
        flat = arrays[f"network_{number}"]
        _check_array("a network", flat, np.float32, (n_weights(model.sizes(kind)),))
        if not np.isfinite(flat).all():
            raise ValueError("a weight is no finite number")
        networks.append(Network(kind, flat))
    return replace(model, networks=tuple(networks))


def _check_array(name: str, array: Any, dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape or np.isinf(array).any():
        raise ValueError(f"{name} is an array of {array.dtype} {array.shape}")


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name} is {value!r:.20}")
    return value


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} is {value!r:.20}")
    return value


def _number(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r:.20}")
    return float(value)


def _size(name: str, value: Any) -> float:
    if _number(name, value) <= 0:
        raise ValueError(f"{name} is {value!r:.20}")
    return float(value)
