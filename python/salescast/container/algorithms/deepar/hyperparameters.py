"""Names, types and ranges of DeepAR's hyperparameters and of our extensions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from salescast.container.errors import ContractError
from salescast.container.hyperparameters import (
    DATA_HYPERPARAMETERS,
    Setting,
    choice,
    flag,
    integer,
    integers,
    optional,
    rate,
    read_texts,
    to_strings,
)

LIKELIHOODS = ("gaussian", "beta", "negative-binomial", "student-T", "deterministic-L1")


def _lags(text: str) -> tuple[int, ...]:
    """Distinct lags in rising order; the empty tuple stands for the stock lags of time_freq."""
    if text.strip().lower() == "auto":
        return ()
    values = integers("auto or a JSON array of positive integers such as [1, 2, 52]")(text)
    if len(set(values)) != len(values):
        raise ValueError("must not repeat a lag")
    return tuple(sorted(values))


SAGEMAKER_HYPERPARAMETERS: dict[str, Setting] = {
    "time_freq": DATA_HYPERPARAMETERS["time_freq"],
    "prediction_length": DATA_HYPERPARAMETERS["prediction_length"],
    "context_length": Setting(integer(1), None, "points seen before forecasting"),
    "epochs": Setting(integer(1), None, "maximum passes over the training data"),
    "mini_batch_size": Setting(integer(1), "128", "windows in a batch"),
    "learning_rate": Setting(rate(0, 1, low_open=True), "1e-3", "step size of the optimiser"),
    "num_cells": Setting(integer(1), "40", "cells in each hidden layer"),
    "num_layers": Setting(integer(1), "2", "hidden layers"),
    "dropout_rate": Setting(rate(0, 1, low_open=False), "0.1", "regularisation between layers"),
    "embedding_dimension": Setting(integer(1), "10", "embedding size of every cat feature"),
    "likelihood": Setting(choice(*LIKELIHOODS), "student-T", "noise model"),
    "cardinality": DATA_HYPERPARAMETERS["cardinality"],
    "num_dynamic_feat": DATA_HYPERPARAMETERS["num_dynamic_feat"],
    "early_stopping_patience": Setting(
        optional(integer(1)), "auto", "epochs without a better training loss before stopping"
    ),
    "num_eval_samples": DATA_HYPERPARAMETERS["num_eval_samples"],
    "test_quantiles": DATA_HYPERPARAMETERS["test_quantiles"],
}
"""What SageMaker's DeepAR takes."""

EXTENSIONS: dict[str, Setting] = {
    "lags": Setting(_lags, "auto", "past values fed at each step; auto: GluonTS's for time_freq"),
    "training_window": Setting(
        optional(integer(1)),
        "auto",
        "steps after the context in a training window, at most and by default prediction_length",
    ),
    "sampling": Setting(
        choice("uniform", "sqrt_scale"),
        "uniform",
        "how often a series is drawn: equally, or by the square root of its mean",
    ),
    "time_features": Setting(
        choice("stock", "none"), "stock", "calendar features derived from start and time_freq"
    ),
    "age_feature": Setting(flag, "true", "log age of the series as a feature"),
    "ensemble_size": Setting(
        integer(1, 32), "1", "networks trained from different starts; each gives its sample paths"
    ),
    "lr_schedule": Setting(
        choice("plateau", "one_cycle"),
        "plateau",
        "learning rate halved on a plateau, or one cycle that peaks at learning_rate",
    ),
    "num_batches_per_epoch": Setting(
        optional(integer(1)), "auto", "auto: max(10, series / mini_batch_size)"
    ),
    "gradient_clip": Setting(
        rate(0, math.inf, low_open=True), "10", "largest norm of a batch's gradient"
    ),
    "seed": Setting(integer(0, 2**31 - 1), "0", "seed of training and of the sample paths"),
}
"""What only this program takes; each default is the stock behaviour."""


@dataclass(frozen=True)
class Hyperparameters:
    """Checked settings of one training job; `training_window` and `seed` are always set."""

    time_freq: str
    prediction_length: int
    context_length: int
    epochs: int
    mini_batch_size: int
    learning_rate: float
    num_cells: int
    num_layers: int
    dropout_rate: float
    embedding_dimension: int
    likelihood: str
    cardinality: str | tuple[int, ...]
    num_dynamic_feat: str | int
    early_stopping_patience: int | None
    num_eval_samples: int
    test_quantiles: tuple[float, ...]
    lags: tuple[int, ...]
    training_window: int
    sampling: str
    time_features: str
    age_feature: bool
    ensemble_size: int
    lr_schedule: str
    num_batches_per_epoch: int | None
    gradient_clip: float
    seed: int


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Read the hyperparameters of a job as the container gets them, all values strings.

    Raises:
        ContractError: Names every setting that is missing, unknown, of the wrong type or out of
            range.
    """
    values = read_texts(
        raw, SAGEMAKER_HYPERPARAMETERS | EXTENSIONS, "DeepAR or an extension of this program"
    )
    horizon = values["prediction_length"]
    values["training_window"] = min(values["training_window"] or horizon, horizon)
    return Hyperparameters(**values)


def validate_hyperparameters(
    hyperparameters: Mapping[str, object], extensions: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Check settings before a job starts and return them as the job's strings.

    Args:
        hyperparameters: What SageMaker's DeepAR takes; values may be strings or plain values.
        extensions: What only this program takes.

    Raises:
        ContractError: Names every setting that is wrong, or stands in the wrong group.
    """
    extensions = extensions or {}
    problems = [
        f"hyperparameters: {name} is an extension; SageMaker's DeepAR does not know it"
        for name in hyperparameters
        if name in EXTENSIONS
    ]
    problems += [
        f"extensions: {name} is a hyperparameter of SageMaker's DeepAR"
        for name in extensions
        if name in SAGEMAKER_HYPERPARAMETERS
    ]
    texts = to_strings({**hyperparameters, **extensions})
    try:
        parse_hyperparameters(texts)
    except ContractError as error:
        problems.append(str(error))
    if problems:
        raise ContractError("; ".join(problems))
    return texts
