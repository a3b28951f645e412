"""What a job keeps of the series that it has seen, and the forecasts of any."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from salescast.container.algorithm import Forecast, ModelInputs
from salescast.container.algorithms.direct.bands import learn_stretch
from salescast.container.algorithms.direct.hyperparameters import Hyperparameters
from salescast.container.algorithms.direct.network import (
    Sizes,
    n_weights,
    quantiles,
    sizes_of,
    views,
)
from salescast.container.algorithms.direct.training import train
from salescast.container.checks import Summary
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record
from salescast.container.weekly.chain import (
    GROUPS,
    Chain,
    chain_of,
    check_array,
    content_of,
    count,
    measure,
    positive,
)
from salescast.container.weekly.inputs import GATED, KINDS, RAW, make_inputs
from salescast.container.weekly.levels import LEVELS, MEDIAN, at_levels, mean_of
from salescast.container.weekly.panel import Float32Array, Panel

MODEL_FILE = "direct.json"
ARRAYS_FILE = "direct-arrays.npz"
FORMAT_VERSION = 1

SHORT_HISTORY, LONG_HISTORY = 156, 260
"""Weeks of history between which dropout and steps go from the first to the second of each."""

DROPOUTS = (0.4, 0.1)
STEPS = (800, 1500)

RAW_HISTORY = 104
"""Weeks of history from which a network that sees both years' features has learnt from them."""

CHUNK = 512
"""Series that are forecast at a time."""


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
    """A trained model.

    Attributes:
        chain: What all series together have told.
        n_hidden: Cells of each layer of the networks.
        networks: The mean of their quantiles is the forecast, before it is stretched.
        stretch: What the lower and the upper half of the bands are multiplied by.
    """

    chain: Chain
    n_hidden: int
    networks: tuple[Network, ...]
    stretch: tuple[float, float]

    @property
    def inputs(self) -> ModelInputs:
        """Which records it takes."""
        return self.chain.inputs

    def sizes(self, kind: str) -> Sizes:
        """How large a network is."""
        return sizes_of(self.chain.rules, kind, self.n_hidden)


def fit(records: Sequence[Record], settings: Hyperparameters, summary: Summary) -> DirectModel:
    """Train the networks; the order of the records does not matter.

    Raises:
        ContractError: A target is too large.
    """
    chain, panel, n_weeks = measure(
        records, settings.prediction_length, settings.time_freq, summary
    )
    model = DirectModel(chain=chain, n_hidden=settings.num_cells, networks=(), stretch=(1.0, 1.0))
    return _with_networks(model, panel, n_weeks, settings)


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
            model.chain.groups,
            model.chain.rules,
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
        model.chain.groups,
        model.chain.rules,
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
            of_levels = found if record.n_observed else model.chain.new_series()
            yield Forecast(
                mean=mean_of(of_levels),
                quantiles=at_levels(of_levels, config.levels),
            )


def _quantiles(model: DirectModel, records: Sequence[Record]) -> FloatArray:
    """Record by LEVELS by week."""
    horizon = model.inputs.prediction_length
    chain, panel = model.chain, model.chain.panel(records)
    series = np.arange(len(records))
    leads = np.broadcast_to(np.arange(1, horizon + 1), (len(records), horizon))
    total = np.zeros((len(records), len(LEVELS), horizon))
    for network in model.networks:
        inputs = make_inputs(
            panel, chain.groups, series, panel.end, leads, chain.rules, network.kind
        )
        found = quantiles(views(network.flat, model.sizes(network.kind)), inputs)
        total += found.transpose(0, 2, 1) * inputs.scale[:, None, None]
    middle = total[:, [MEDIAN]]
    stretch = np.where(np.arange(len(LEVELS)) < MEDIAN, *model.stretch)
    return (middle + stretch[:, None] * (total - middle)) / len(model.networks)


def save_model(model: DirectModel, folder: Path) -> None:
    """Write a model as JSON and arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format_version": FORMAT_VERSION,
        **content_of(model.chain),
        "n_hidden": model.n_hidden,
        "kinds": [network.kind for network in model.networks],
        "stretch": model.stretch,
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    (folder / MODEL_FILE).write_text(text + "\n", encoding="utf-8")
    arrays: dict[str, Any] = {
        f"network_{n}": network.flat for n, network in enumerate(model.networks)
    }
    arrays[GROUPS] = model.chain.group_sales
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
    lower, upper = content["stretch"]
    model = DirectModel(
        chain=chain_of(content, arrays.pop(GROUPS)),
        n_hidden=count("n_hidden", content["n_hidden"]),
        networks=(),
        stretch=(positive("stretch", lower), positive("stretch", upper)),
    )
    kinds = content["kinds"]
    if not kinds or not set(kinds) <= set(KINDS) or len(arrays) != len(kinds):
        raise ValueError(f"networks are {kinds!r:.40}, with {len(arrays)} arrays")
    networks = []
    for number, kind in enumerate(kinds):
        flat = arrays[f"network_{number}"]
        check_array("a network", flat, np.float32, (n_weights(model.sizes(kind)),))
        if not np.isfinite(flat).all():
            raise ValueError("a weight is no finite number")
        networks.append(Network(kind, flat))
    return replace(model, networks=tuple(networks))
