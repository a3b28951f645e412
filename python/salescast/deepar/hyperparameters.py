"""Names, types and ranges of DeepAR's hyperparameters and of our extensions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from salescast.deepar.records import ContractError

TIME_FREQ = re.compile(r"^\s*([1-9]\d*)?(M|W|D|H|min)\s*$")
LIKELIHOODS = ("gaussian", "beta", "negative-binomial", "student-T", "deterministic-L1")
TEST_QUANTILES = tuple(q / 10 for q in range(1, 10))


@dataclass(frozen=True)
class Setting:
    """One setting of a training job.

    Attributes:
        read: Turns the text of the setting into its value; raises ValueError with what is expected.
        default: Text that applies when the setting is absent; None if it must be given.
        meaning: What the setting does, in one line.
    """

    read: Callable[[str], Any]
    default: str | None
    meaning: str


def _integer(low: int, high: int | None = None) -> Callable[[str], int]:
    expected = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text):
            raise ValueError(f"must be {expected}")
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(f"must be {expected}")
        return value

    return read


def _rate(low: float, high: float, *, low_open: bool) -> Callable[[str], float]:
    expected = f"a number in {'(' if low_open else '['}{low:g}, {high:g})"

    def read(text: str) -> float:
        value = _number(text, expected)
        if not (low < value if low_open else low <= value) or value >= high:
            raise ValueError(f"must be {expected}")
        return value

    return read


def _number(text: str, expected: str) -> float:
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
        raise ValueError(f"must be {expected}")
    return float(text)


def _choice(*choices: str) -> Callable[[str], str]:
    by_lower = {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        value = by_lower.get(text.strip().lower())
        if value is None:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return read


def _flag(text: str) -> bool:
    value = {"true": True, "false": False}.get(text.strip().lower())
    if value is None:
        raise ValueError("must be true or false")
    return value


def _time_freq(text: str) -> str:
    match = TIME_FREQ.match(text)
    if match is None:
        raise ValueError("must be an optional positive integer followed by M, W, D, H or min")
    multiple = match.group(1) or ""
    return f"{'' if multiple == '1' else multiple}{match.group(2)}"


def _json_list(text: str, expected: str) -> list[Any]:
    try:
        values = json.loads(text)
    except ValueError:
        raise ValueError(f"must be {expected}") from None
    if not isinstance(values, list) or not values:
        raise ValueError(f"must be {expected}")
    return values


def _integers(expected: str) -> Callable[[str], tuple[int, ...]]:
    def read(text: str) -> tuple[int, ...]:
        values = _json_list(text, expected)
        if any(type(value) is not int or value < 1 for value in values):
            raise ValueError(f"must be {expected}")
        return tuple(values)

    return read


def _cardinality(text: str) -> str | tuple[int, ...]:
    word = text.strip().lower()
    if word in ("auto", "ignore", ""):
        return word or "ignore"
    expected = 'auto, ignore, "" or a JSON array of positive integers such as [12, 340]'
    return _integers(expected)(text)


def _num_dynamic_feat(text: str) -> str | int:
    word = text.strip().lower()
    if word in ("auto", "ignore", ""):
        return word or "ignore"
    try:
        return _integer(1)(text)
    except ValueError:
        raise ValueError('must be auto, ignore, "" or an integer >= 1') from None


def _quantiles(text: str) -> tuple[float, ...]:
    expected = "a JSON array of numbers in (0, 1)"
    values = _json_list(text, expected)
    if any(type(value) not in (int, float) or not 0 < value < 1 for value in values):
        raise ValueError(f"must be {expected}")
    return tuple(float(value) for value in values)


def _lags(text: str) -> tuple[int, ...]:
    """Distinct lags in rising order; the empty tuple stands for the stock lags of time_freq."""
    if text.strip().lower() == "auto":
        return ()
    values = _integers("auto or a JSON array of positive integers such as [1, 2, 52]")(text)
    if len(set(values)) != len(values):
        raise ValueError("must not repeat a lag")
    return tuple(sorted(values))


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Takes "auto" as None besides what `read` takes."""

    def read_optional(text: str) -> Any:
        if text.strip().lower() == "auto":
            return None
        try:
            return read(text)
        except ValueError as error:
            raise ValueError(f"{error} (or auto)") from None

    return read_optional


SAGEMAKER_HYPERPARAMETERS: dict[str, Setting] = {
    "time_freq": Setting(_time_freq, None, "granularity of the series"),
    "prediction_length": Setting(_integer(1), None, "steps to forecast"),
    "context_length": Setting(_integer(1), None, "points seen before forecasting"),
    "epochs": Setting(_integer(1), None, "maximum passes over the training data"),
    "mini_batch_size": Setting(_integer(1), "128", "windows in a batch"),
    "learning_rate": Setting(_rate(0, 1, low_open=True), "1e-3", "step size of the optimiser"),
    "num_cells": Setting(_integer(1), "40", "cells in each hidden layer"),
    "num_layers": Setting(_integer(1), "2", "hidden layers"),
    "dropout_rate": Setting(_rate(0, 1, low_open=False), "0.1", "regularisation between layers"),
    "embedding_dimension": Setting(_integer(1), "10", "embedding size of every cat feature"),
    "likelihood": Setting(_choice(*LIKELIHOODS), "student-T", "noise model"),
    "cardinality": Setting(_cardinality, "auto", "use and sizes of cat"),
    "num_dynamic_feat": Setting(_num_dynamic_feat, "auto", "use and number of dynamic_feat"),
    "early_stopping_patience": Setting(
        _optional(_integer(1)), "auto", "epochs without a better training loss before stopping"
    ),
    "num_eval_samples": Setting(_integer(1), "100", "sample paths for the test metrics"),
    "test_quantiles": Setting(
        _quantiles, json.dumps(TEST_QUANTILES), "quantiles scored on the test channel"
    ),
}
"""What SageMaker's DeepAR takes."""

EXTENSIONS: dict[str, Setting] = {
    "lags": Setting(_lags, "auto", "past values fed at each step; auto: GluonTS's for time_freq"),
    "training_window": Setting(
        _optional(_integer(1)),
        "auto",
        "steps after the context in a training window, at most and by default prediction_length",
    ),
    "sampling": Setting(
        _choice("uniform", "sqrt_scale"),
        "uniform",
        "how often a series is drawn: equally, or by the square root of its mean",
    ),
    "time_features": Setting(
        _choice("stock", "none"), "stock", "calendar features derived from start and time_freq"
    ),
    "age_feature": Setting(_flag, "true", "log age of the series as a feature"),
    "ensemble_size": Setting(
        _integer(1, 32), "1", "networks trained from different starts; each gives its sample paths"
    ),
    "lr_schedule": Setting(
        _choice("plateau", "one_cycle"),
        "plateau",
        "learning rate halved on a plateau, or one cycle that peaks at learning_rate",
    ),
    "num_batches_per_epoch": Setting(
        _optional(_integer(1)), "auto", "auto: max(10, series / mini_batch_size)"
    ),
    "gradient_clip": Setting(
        _rate(0, math.inf, low_open=True), "10", "largest norm of a batch's gradient"
    ),
    "seed": Setting(_integer(0, 2**31 - 1), "0", "seed of training and of the sample paths"),
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
    known = SAGEMAKER_HYPERPARAMETERS | EXTENSIONS
    problems = [
        f"{name} is not a hyperparameter of DeepAR or an extension of this program"
        for name in raw
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, setting in known.items():
        text = raw.get(name, setting.default)
        if text is None and name not in raw:
            problems.append(f"{name} is required")
        elif not isinstance(text, str):
            problems.append(f"{name} must be given as a string, not {text!r}")
        else:
            try:
                values[name] = setting.read(text)
            except ValueError as error:
                problems.append(f"{name} {error}, not {text!r}")
    if problems:
        raise ContractError(f"hyperparameters: {'; '.join(problems)}")
    horizon = values["prediction_length"]
    values["training_window"] = min(values["training_window"] or horizon, horizon)
    return Hyperparameters(**values)


def to_strings(settings: Mapping[str, object]) -> dict[str, str]:
    """Write settings as the strings that a training job takes; lists become JSON."""
    return {name: _to_string(value) for name, value in settings.items()}


def _to_string(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value)


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
