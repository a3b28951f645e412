"""Train on the channels of a SageMaker training job."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salescast.container.algorithm import DEFAULT_ALGORITHM, find_algorithm
from salescast.container.checks import Summary, check_training_records, check_uniform
from salescast.container.errors import ContractError
from salescast.container.hyperparameters import DataHyperparameters
from salescast.container.inference import InferenceConfig
from salescast.container.paths import HOST, ContainerPaths, read_json_object
from salescast.container.predictor import Predictor, save_predictor
from salescast.container.records import Record, read_records

ALGORITHM_HYPERPARAMETER = "algorithm"

logger = logging.getLogger(__name__)


def train(paths: ContainerPaths, n_threads: int | None = None) -> None:
    """Run a training job: read settings and channels, train, write the model, score the test.

    Args:
        paths: The container's tree.
        n_threads: Threads to compute on; None for all cores.

    Raises:
        ContractError: The settings or the data break the contract.
    """
    texts = read_json_object(paths.hyperparameters)
    name = texts.pop(ALGORITHM_HYPERPARAMETER, DEFAULT_ALGORITHM)
    algorithm = find_algorithm(name)
    if n_threads is not None:
        algorithm.use_threads(n_threads)
    settings = algorithm.read_hyperparameters(texts)
    content_type = paths.content_type("train")
    if not paths.channel("train").is_dir():
        raise ContractError("train: the channel is missing")
    records = read_records([paths.channel("train")], content_type=content_type)
    summary = check_training_records(
        records,
        prediction_length=settings.prediction_length,
        time_freq=settings.time_freq,
        cardinality=settings.cardinality,
        num_dynamic_feat=settings.num_dynamic_feat,
    )
    test_records: list[Record] = []
    if paths.channel("test").is_dir():
        test_records = _read_test(paths, settings, summary)
    _report_data(records, summary)
    predictor = Predictor(algorithm, algorithm.fit(records, settings, summary))
    save_predictor(name, predictor, paths.model)
    if test_records:
        _report_scores(score(predictor, test_records, settings))


def _read_test(
    paths: ContainerPaths, settings: DataHyperparameters, summary: Summary
) -> list[Record]:
    """The test channel's records that are longer than the horizon, checked against training."""
    records = read_records([paths.channel("test")], content_type=paths.content_type("test"))
    if not records:
        return []
    n_cat, n_feat, weekday = check_uniform(records, time_freq=settings.time_freq)
    if weekday != summary.weekday:
        raise ContractError("test: series start on another weekday than those of train")
    if settings.cardinality != "ignore" and n_cat != len(summary.cardinality):
        raise ContractError(f"test: cat has {n_cat} values, train has {len(summary.cardinality)}")
    if settings.num_dynamic_feat != "ignore" and n_feat != summary.num_dynamic_feat:
        raise ContractError(
            f"test: dynamic_feat has {n_feat} features, train has {summary.num_dynamic_feat}"
        )
    for record in records:
        for position, size in enumerate(summary.cardinality):
            if record.cat[position] >= size:
                raise ContractError(
                    f"{record.where}: cat[{position}] is {record.cat[position]}, "
                    f"train knows 0..{size - 1}"
                )
    kept = [record for record in records if _is_scorable(record, settings.prediction_length)]
    if len(kept) < len(records):
        logger.warning(
            "test: %d series without history before their last %d points are not scored",
            len(records) - len(kept),
            settings.prediction_length,
        )
    return kept


def _is_scorable(record: Record, prediction_length: int) -> bool:
    return bool(np.any(~np.isnan(record.target[:-prediction_length])))


def _report_data(records: Sequence[Record], summary: Summary) -> None:
    values = np.concatenate([record.target for record in records])
    missing = "yes" if summary.n_observed < summary.n_points else "no"
    print(f"number of time series: {summary.n_series}")
    print(f"number of observations: {summary.n_observed}")
    print(f"mean target length: {summary.n_points / summary.n_series:.1f}")
    print(
        f"min/mean/max target: {np.nanmin(values):g}/{np.nanmean(values):g}/{np.nanmax(values):g}"
    )
    print(f"contains missing values: {missing}")
    ignored = summary.n_series - summary.n_trainable
    if ignored:
        print(f"series shorter than prediction_length, ignored: {ignored}", flush=True)


@dataclass(frozen=True)
class Scores:
    """Test metrics over the last prediction_length points of every test record."""

    rmse: float
    weighted_quantile_losses: dict[float, float]
    mean_absolute_quantile_loss: float

    @property
    def mean_weighted_quantile_loss(self) -> float:
        """Mean over the scored quantiles."""
        return float(np.mean(list(self.weighted_quantile_losses.values())))


def score(predictor: Predictor, records: Sequence[Record], settings: DataHyperparameters) -> Scores:
    """Forecast the last points of each record from the points before them and compare."""
    horizon = settings.prediction_length
    levels = settings.test_quantiles
    actual = np.stack([record.target[-horizon:] for record in records])
    known = [Record(r.start, r.target[:-horizon], r.cat, r.dynamic_feat, r.where) for r in records]
    config = InferenceConfig(
        settings.num_eval_samples, ("mean", "quantiles"), tuple(map(repr, levels))
    )
    forecasts = list(predictor.forecast(known, config))
    observed = ~np.isnan(actual)
    errors = (actual - np.stack([each.values("mean") for each in forecasts]))[observed]
    total = float(np.abs(actual[observed]).sum())
    by_level = np.stack([each.values("quantiles") for each in forecasts], axis=1)
    losses = {}
    for level, forecast in zip(levels, by_level, strict=True):
        error = (actual - forecast)[observed]
        losses[level] = float(2 * np.maximum(level * error, (level - 1) * error).sum())
    return Scores(
        rmse=float(np.sqrt(np.mean(errors**2))) if errors.size else math.nan,
        weighted_quantile_losses={
            level: loss / total if total else math.nan for level, loss in losses.items()
        },
        mean_absolute_quantile_loss=float(np.mean(list(losses.values()))),
    )


def _report_scores(scores: Scores) -> None:
    mean_loss = scores.mean_weighted_quantile_loss
    print(f"#test_score ({HOST}, RMSE): {scores.rmse}")
    print(f"#test_score ({HOST}, mean_absolute_QuantileLoss): {scores.mean_absolute_quantile_loss}")
    print(f"#test_score ({HOST}, mean_wQuantileLoss): {mean_loss}")
    for level, loss in scores.weighted_quantile_losses.items():
        print(f"#test_score ({HOST}, wQuantileLoss[{level:g}]): {loss}")
    print(f"#quality_metric: host={HOST}, test RMSE <loss>={scores.rmse}")
    print(f"#quality_metric: host={HOST}, test mean_wQuantileLoss <loss>={mean_loss}", flush=True)
