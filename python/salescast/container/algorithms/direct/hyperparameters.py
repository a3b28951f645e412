"""Names, types and ranges of the hyperparameters of the direct network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from salescast.container.hyperparameters import (
    DATA_HYPERPARAMETERS,
    Setting,
    choice,
    integer,
    optional,
    rate,
    read_texts,
    validated_texts,
)

NAME = "direct"

HYPERPARAMETERS: dict[str, Setting] = {
    **DATA_HYPERPARAMETERS,
    "time_freq": Setting(choice("W"), None, "granularity of the series; weeks only"),
    "features": Setting(
        choice("auto", "gated", "raw", "both"),
        "auto",
        "gated: features as they moved against last year; raw: both years'; both: the mean of a "
        "network of each; auto: by weeks of history",
    ),
    "steps": Setting(optional(integer(1)), "auto", "batches a network; auto: by weeks of history"),
    "dropout_rate": Setting(
        optional(rate(0, 1, low_open=False)),
        "auto",
        "share of cells left out in training; auto: by weeks of history",
    ),
    "num_cells": Setting(integer(1, 4096), "96", "cells of each of the two layers"),
    "seed": Setting(integer(0, 2**31 - 1), "0", "seed of training"),
}


@dataclass(frozen=True)
class Hyperparameters:
    """Checked settings of one job; None where the weeks of history decide."""

    time_freq: str
    prediction_length: int
    cardinality: str | tuple[int, ...]
    num_dynamic_feat: str | int
    num_eval_samples: int
    test_quantiles: tuple[float, ...]
    features: str
    steps: int | None
    dropout_rate: float | None
    num_cells: int
    seed: int


def parse_hyperparameters(raw: Mapping[str, object]) -> Hyperparameters:
    """Read the hyperparameters of a job as the container gets them, all values strings.

    Raises:
        ContractError: Names every setting that is missing, unknown, of the wrong type or out of
            range.
    """
    return Hyperparameters(**read_texts(raw, HYPERPARAMETERS, NAME))


def validate_hyperparameters(
    hyperparameters: Mapping[str, object], extensions: Mapping[str, object] | None = None
) -> dict[str, str]:
    """Check settings before a job starts and return them as the job's strings.

    Raises:
        ContractError: Names every setting that is wrong.
    """
    return validated_texts(hyperparameters, extensions, HYPERPARAMETERS, NAME)
