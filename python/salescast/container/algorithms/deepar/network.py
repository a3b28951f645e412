"""The network: GluonTS's DeepAR module, its saved form and its sample paths."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gluonts.time_feature import get_lags_for_frequency
from gluonts.torch.distributions import (
    BetaOutput,
    DistributionOutput,
    LaplaceOutput,
    NegativeBinomialOutput,
    NormalOutput,
    StudentTOutput,
)
from gluonts.torch.model.deepar.module import DeepARModel

from salescast.container.algorithm import ModelInputs
from salescast.container.algorithms.deepar.hyperparameters import Hyperparameters
from salescast.container.algorithms.deepar.scale import CategoryScales, cold_scales
from salescast.container.algorithms.deepar.series import FeatureRules
from salescast.container.errors import ContractError
from salescast.container.records import FloatArray, Record

CONFIG_FILE = "model_algo-1-config.json"
WEIGHTS_FILE = "model_algo-1-weights.npz"
FORMAT_VERSION = 2
FIRST_FORMAT_VERSION = 1
"""The oldest format that can be read; it has no factors of categories."""
MINIMUM_SCALE = 1e-10
SERIES_PER_BATCH = 16

_OUTPUTS: dict[str, type[DistributionOutput]] = {
    "gaussian": NormalOutput,
    "beta": BetaOutput,
    "negative-binomial": NegativeBinomialOutput,
    "student-T": StudentTOutput,
    "deterministic-L1": LaplaceOutput,
}


@dataclass(frozen=True)
class ModelConfig:
    """Everything but the weights that a trained model is.

    Attributes:
        hyperparameters: Settings it was trained with.
        cardinality: Codes at each position of cat; empty if cat is not used.
        ignores_cat: Whether cat was switched off, so that records may still carry it.
        ignores_dynamic_feat: The same for dynamic_feat.
        weekday: Weekday on which weekly series start.
        default_scale: Mean absolute value of the training targets.
        category_factors: How much larger or smaller series of each code are, by position of cat.
        lags: Lags fed to the network.
        rules: How features are made.
    """

    hyperparameters: Hyperparameters
    cardinality: tuple[int, ...]
    ignores_cat: bool
    ignores_dynamic_feat: bool
    weekday: int | None
    default_scale: float
    lags: tuple[int, ...]
    rules: FeatureRules
    category_factors: tuple[tuple[float, ...], ...] = ()

    @property
    def category_scales(self) -> CategoryScales:
        """How large a series without any observation is."""
        return CategoryScales(self.default_scale, self.category_factors)

    @property
    def past_length(self) -> int:
        """Points of history that a forecast looks at."""
        return self.hyperparameters.context_length + max(self.lags)


def stock_lags(time_freq: str) -> tuple[int, ...]:
    """GluonTS's lags for a frequency."""
    # pandas has renamed the month and the hour.
    return tuple(get_lags_for_frequency(time_freq.replace("M", "ME").replace("H", "h")))


def build_network(config: ModelConfig) -> DeepARModel:
    """Make the untrained network of a configuration."""
    settings = config.hyperparameters
    cardinality = list(config.cardinality) or [1]
    return DeepARModel(
        freq=settings.time_freq,
        context_length=settings.context_length,
        prediction_length=settings.prediction_length,
        num_feat_dynamic_real=config.rules.n_features,
        num_feat_static_real=1,
        num_feat_static_cat=len(cardinality),
        cardinality=cardinality,
        embedding_dimension=[settings.embedding_dimension] * len(cardinality),
        num_layers=settings.num_layers,
        hidden_size=settings.num_cells,
        # torch applies dropout between layers only and warns when there is one layer.
        dropout_rate=settings.dropout_rate if settings.num_layers > 1 else 0.0,
        distr_output=_OUTPUTS[settings.likelihood](),
        lags_seq=list(config.lags),
        scaling=_is_scaled(settings.likelihood),
        default_scale=config.default_scale,
    )


class _ContextScaler:
    """The mean absolute value of a context, and a given scale where nothing is observed in it."""

    def __init__(self, unobserved: torch.Tensor) -> None:
        self._unobserved = unobserved

    def __call__(
        self, data: torch.Tensor, observed_indicator: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        n_observed = observed_indicator.sum(-1, keepdim=True)
        mean = (data * observed_indicator).abs().sum(-1, keepdim=True) / n_observed.clamp(min=1)
        scale = torch.where(n_observed > 0, mean, self._unobserved).clamp(min=MINIMUM_SCALE)
        return data / scale, torch.zeros_like(scale), scale


def unroll(
    network: DeepARModel, likelihood: str, unobserved_scale: torch.Tensor, **inputs: torch.Tensor
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Unroll GluonTS's network over its inputs, each series in its own scale.

    Args:
        network: The network.
        likelihood: What it was built for.
        unobserved_scale: Series by 1: scale of those without an observation in their context.
        inputs: What GluonTS's unroll_lagged_rnn takes.

    Returns:
        Parameters of the distribution, scale, output, static features and state.
    """
    if _is_scaled(likelihood):
        # A copy shares the weights; another thread may unroll the same network.
        network = copy.copy(network)
        network.scaler = _ContextScaler(unobserved_scale)
    params, scale, output, static, state = network.unroll_lagged_rnn(**inputs)
    return params, scale, output, static, list(state)


def _is_scaled(likelihood: str) -> bool:
    # Values in [0, 1] must stay there.
    return likelihood != "beta"


@dataclass(frozen=True)
class TrainedModel:
    """A configuration and its networks, in double precision for forecasts."""

    config: ModelConfig
    networks: tuple[DeepARModel, ...]

    @property
    def inputs(self) -> ModelInputs:
        """Which records it takes."""
        config = self.config
        return ModelInputs(
            prediction_length=config.hyperparameters.prediction_length,
            time_freq=config.hyperparameters.time_freq,
            cardinality=None if config.ignores_cat else config.cardinality,
            num_dynamic_feat=None if config.ignores_dynamic_feat else len(config.rules.means),
            weekday=config.weekday,
        )


def save_model(model: TrainedModel, model_dir: Path) -> None:
    """Write a model as JSON and plain arrays; nothing in it is code."""
    model_dir.mkdir(parents=True, exist_ok=True)
    fields = {"format_version": FORMAT_VERSION, **dataclasses.asdict(model.config)}
    (model_dir / CONFIG_FILE).write_text(json.dumps(fields, indent=1), encoding="utf-8")
    weights = {
        f"{member}.{name}": value.float().numpy()
        for member, network in enumerate(model.networks)
        for name, value in network.state_dict().items()
    }
    np.savez(model_dir / WEIGHTS_FILE, allow_pickle=False, **weights)


def load_model(model_dir: Path) -> TrainedModel:
    """Read a saved model.

    Raises:
        ContractError: The folder does not hold a model of this program.
    """
    try:
        fields = json.loads((model_dir / CONFIG_FILE).read_bytes())
        version = fields.pop("format_version")
        if version not in range(FIRST_FORMAT_VERSION, FORMAT_VERSION + 1):
            raise ContractError(f"{CONFIG_FILE}: format {version} is not known to this program")
        config = _config_of(fields)
        with np.load(model_dir / WEIGHTS_FILE, allow_pickle=False) as weights:
            networks = [
                _network_of(config, weights, f"{member}.")
                for member in range(config.hyperparameters.ensemble_size)
            ]
    except (OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"{model_dir.name}: not a model of this program: {error}") from error
    return TrainedModel(config, tuple(networks))


def _network_of(
    config: ModelConfig, weights: Mapping[str, np.ndarray[Any, Any]], prefix: str
) -> DeepARModel:
    network = build_network(config)
    network.load_state_dict(
        {
            name.removeprefix(prefix): torch.from_numpy(weights[name])
            for name in weights
            if name.startswith(prefix)
        }
    )
    return network.double().eval()


def _config_of(fields: dict[str, Any]) -> ModelConfig:
    settings, rules = fields.pop("hyperparameters"), fields.pop("rules")
    fields["category_factors"] = list(map(tuple, fields.get("category_factors", ())))
    return ModelConfig(
        **_tuples(fields),
        hyperparameters=Hyperparameters(**_tuples(settings)),
        rules=FeatureRules(**_tuples(rules)),
    )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }


# ---- forecasts -------------------------------------------------------------------------------


def sample_paths(
    model: TrainedModel,
    records: Sequence[Record],
    num_samples: int,
    series_per_batch: int = SERIES_PER_BATCH,
) -> Iterator[FloatArray]:
    """Yield each record's sample paths, sample by step, in the order of the records.

    Noise comes from the seed and the record's content alone and all arithmetic is in double
    precision, so that neither batching nor order shows in the result.

    Args:
        model: A trained model.
        records: Records whose dynamic_feat reaches prediction_length beyond target.
        num_samples: Paths a record; they come in pairs of opposite noise, which steadies the
            median and the mean.
        series_per_batch: Records unrolled together.
    """
    batches = (
        records[first : first + series_per_batch]
        for first in range(0, len(records), series_per_batch)
    )
    n_workers = torch.get_num_threads()
    # Whole batches side by side: an operation here is too small to be worth splitting.
    with ThreadPoolExecutor(n_workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[FloatArray]] = deque()
        for batch in batches:
            waiting.append(pool.submit(_batch_paths, model, batch, num_samples))
            if len(waiting) > n_workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


@torch.inference_mode()
def _batch_paths(model: TrainedModel, records: Sequence[Record], num_samples: int) -> FloatArray:
    """Paths of some records: series, sample, step; the networks share the samples."""
    inputs = _history(model.config, records)
    paths = [
        _Unroll(model, member, records, inputs, n_paths).paths()
        for member, n_paths in enumerate(_shares(num_samples, len(model.networks)))
        if n_paths
    ]
    values: FloatArray = torch.cat(paths, dim=1).numpy()
    return values


def _shares(total: int, n_parts: int) -> list[int]:
    """Split a number into parts as equal as possible."""
    return [total // n_parts + (part < total % n_parts) for part in range(n_parts)]


class _Unroll:
    """One batch of records, unrolled step by step over the horizon by one network."""

    def __init__(
        self,
        model: TrainedModel,
        member: int,
        records: Sequence[Record],
        inputs: Mapping[str, torch.Tensor],
        num_samples: int,
    ) -> None:
        self._network = model.networks[member]
        self._settings = model.config.hyperparameters
        self._lags = model.config.lags
        self._n_series, self._n_samples = len(records), num_samples
        self._horizon = self._settings.prediction_length
        self._time_features = inputs["future_time_feat"]
        params, scale, _, static, state = unroll(
            self._network,
            self._settings.likelihood,
            _unobserved_scales(model.config, records),
            **{**inputs, "future_time_feat": self._time_features[:, :1]},
        )
        self._scale, self._static = scale, static
        self._past = inputs["past_target"] / scale
        self._first_params = [value[:, -1] for value in params]
        self._state = [value.repeat_interleave(num_samples, dim=1) for value in state]
        self._noise = _Noise(self._settings, member, records, num_samples)

    def paths(self) -> torch.Tensor:
        """Paths of the batch: series, sample, step."""
        shape = (self._n_series, self._n_samples)
        paths = self._past.new_empty((*shape, self._horizon))
        fixed = self._fixed_gates()
        for step in range(self._horizon):
            if step == 0:
                params = [value[:, None].expand(shape) for value in self._first_params]
            else:
                hidden = self._advance(step, paths, fixed)
                params = [value.view(shape) for value in self._network.param_proj(hidden)]
            paths[:, :, step] = self._noise.draw(step, params, self._scale)
        scaled: torch.Tensor = paths * self._scale[:, :, None]
        return scaled

    def _fixed_gates(self) -> torch.Tensor:
        """What the first layer gets from features and history, the same for every sample."""
        rnn = self._network.rnn
        n_lags, n_static = len(self._lags), self._static.shape[1]
        weights = rnn.weight_ih_l0
        static = self._static @ weights[:, n_lags : n_lags + n_static].T
        times = self._time_features @ weights[:, n_lags + n_static :].T
        gates: torch.Tensor = times + static[:, None] + rnn.bias_ih_l0 + rnn.bias_hh_l0
        n_past = self._past.shape[1]
        for step in range(1, self._horizon):
            known = [column for column, lag in enumerate(self._lags) if lag > step]
            values = self._past[:, [n_past + step - self._lags[column] for column in known]]
            gates[:, step] += values @ weights[:, known].T
        return gates

    def _advance(self, step: int, paths: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
        """Feed the samples so far to the cells and return the last layer's output."""
        rnn = self._network.rnn
        hiddens, cells = self._state
        sampled = [column for column, lag in enumerate(self._lags) if lag <= step]
        values = paths[:, :, [step - self._lags[column] for column in sampled]]
        n_rows = self._n_series * self._n_samples
        gates = values.reshape(n_rows, len(sampled)) @ rnn.weight_ih_l0[:, sampled].T
        gates = torch.addmm(gates, hiddens[0], rnn.weight_hh_l0.T)
        by_series = gates.view(self._n_series, self._n_samples, -1)
        gates = (by_series + fixed[:, step, None]).view(n_rows, -1)
        for layer in range(rnn.num_layers):
            if layer:
                bias = getattr(rnn, f"bias_ih_l{layer}") + getattr(rnn, f"bias_hh_l{layer}")
                gates = torch.addmm(bias, hiddens[layer - 1], getattr(rnn, f"weight_ih_l{layer}").T)
                gates.addmm_(hiddens[layer], getattr(rnn, f"weight_hh_l{layer}").T)
            entered, kept, new, shown = gates.chunk(4, dim=1)
            cells[layer] = kept.sigmoid() * cells[layer] + entered.sigmoid() * _tanh(new)
            hiddens[layer] = shown.sigmoid() * _tanh(cells[layer])
        last: torch.Tensor = hiddens[-1]
        return last


def _tanh(values: torch.Tensor) -> torch.Tensor:
    """Hyperbolic tangent by way of the sigmoid, which torch computes far faster in doubles."""
    return (2 * values).sigmoid_().mul_(2).sub_(1)


def _history(config: ModelConfig, records: Sequence[Record]) -> dict[str, torch.Tensor]:
    """The network's inputs for a forecast from the end of each record."""
    settings = config.hyperparameters
    past_length, context_length = config.past_length, settings.context_length
    shape = (len(records), past_length)
    target, observed = np.zeros(shape), np.zeros(shape)
    features = np.zeros(
        (len(records), context_length + settings.prediction_length, config.rules.n_features)
    )
    for row, record in enumerate(records):
        recent = record.target[-past_length:]
        target[row, past_length - len(recent) :] = np.nan_to_num(recent, nan=0.0)
        observed[row, past_length - len(recent) :] = ~np.isnan(recent)
        matrix = config.rules.matrix(record, len(record.target) + settings.prediction_length)
        matrix = matrix[-features.shape[1] :]
        features[row, features.shape[1] - len(matrix) :] = matrix
    cat = np.array([record.cat if config.cardinality else (0,) for record in records])
    return {
        "feat_static_cat": torch.from_numpy(cat),
        "feat_static_real": torch.zeros((len(records), 1), dtype=torch.float64),
        "past_time_feat": torch.from_numpy(features[:, :context_length]),
        "past_target": torch.from_numpy(target),
        "past_observed_values": torch.from_numpy(observed),
        "future_time_feat": torch.from_numpy(features[:, context_length:]),
    }


def _unobserved_scales(config: ModelConfig, records: Sequence[Record]) -> torch.Tensor:
    """The scale of each record, should its context hold no observation: series by 1."""
    n_points = config.hyperparameters.context_length
    return torch.from_numpy(cold_scales(records, n_points, config.category_scales)[:, None])


class _Noise:
    """Draws of each series from its own generator."""

    def __init__(
        self,
        settings: Hyperparameters,
        member: int,
        records: Sequence[Record],
        num_samples: int,
    ) -> None:
        self._likelihood = settings.likelihood
        self._generators = [_generator(settings.seed, member, record) for record in records]
        self._num_samples = num_samples
        if self._likelihood in ("student-T", "gaussian"):
            self._log_radius, self._cosine = self._polar(settings.prediction_length)

    def _polar(self, horizon: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Logs of uniforms in (0, 1] and cosines of uniform angles: step, series, sample.

        The second half of the samples has the first half's radius and the opposite angle.
        """
        n_pairs = (self._num_samples + 1) // 2
        uniforms = np.stack([draw.random((2, horizon, n_pairs)) for draw in self._generators])
        log_radius = np.log1p(-uniforms[:, 0])
        cosine = np.cos(2 * math.pi * uniforms[:, 1])
        both = np.concatenate([log_radius, log_radius], axis=2)[:, :, : self._num_samples]
        signed = np.concatenate([cosine, -cosine], axis=2)[:, :, : self._num_samples]
        return (
            torch.from_numpy(np.ascontiguousarray(both.transpose(1, 0, 2))),
            torch.from_numpy(np.ascontiguousarray(signed.transpose(1, 0, 2))),
        )

    def draw(self, step: int, params: Sequence[torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
        """One draw a series and sample, in units of the series' scale."""
        if self._likelihood == "student-T":
            df, loc, spread = params
            # Exact: with u uniform, sqrt(df (u^(-2/df) - 1)) is the radius of a polar Student t.
            radius = (df * torch.expm1(-2 / df * self._log_radius[step])).sqrt()
            return loc + spread * radius * self._cosine[step]
        if self._likelihood == "gaussian":
            loc, spread = params
            return loc + spread * (-2 * self._log_radius[step]).sqrt() * self._cosine[step]
        if self._likelihood == "deterministic-L1":
            return params[0]
        values = [value.numpy() for value in params]
        draws = []
        for row, generator in enumerate(self._generators):
            first, second = (value[row] for value in values)
            if self._likelihood == "beta":
                draws.append(generator.beta(first, second))
            else:
                mean = generator.gamma(first) * np.exp(second + math.log(float(scale[row])))
                draws.append(generator.poisson(np.minimum(mean, 1e15)) / float(scale[row]))
        return torch.from_numpy(np.stack(draws))


def _generator(seed: int, member: int, record: Record) -> np.random.Generator:
    """A series' own generator for one network; seed and content of the record decide it."""
    digest = hashlib.sha256(f"{seed} {member} ".encode() + record.content_hash()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))
