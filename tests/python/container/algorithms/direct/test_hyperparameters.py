"""Settings of the direct network, checked before a job starts."""

from __future__ import annotations

import pytest

from salescast.container.algorithms.direct.hyperparameters import (
    parse_hyperparameters,
    validate_hyperparameters,
)
from salescast.container.errors import ContractError

LEAST = {"time_freq": "W", "prediction_length": 13}


def test_a_job_gets_texts() -> None:
    texts = validate_hyperparameters({**LEAST, "steps": 500, "dropout_rate": 0.2})
    assert texts == {
        "time_freq": "W",
        "prediction_length": "13",
        "steps": "500",
        "dropout_rate": "0.2",
    }
    settings = parse_hyperparameters(texts)
    assert (settings.steps, settings.dropout_rate, settings.num_cells) == (500, 0.2, 96)


def test_without_more_the_history_decides() -> None:
    settings = parse_hyperparameters(validate_hyperparameters(LEAST))
    assert (settings.features, settings.steps, settings.dropout_rate) == ("auto", None, None)


@pytest.mark.parametrize(
    ("settings", "extensions", "message"),
    [
        ({"time_freq": "D"}, {}, "time_freq must be one of W, not 'D'"),
        ({"features": "all"}, {}, "features must be one of auto, gated, raw, both, not 'all'"),
        ({"steps": 0}, {}, "steps must be an integer >= 1 (or auto), not '0'"),
        ({"dropout_rate": 1}, {}, "dropout_rate must be a number in [0, 1) (or auto), not '1'"),
        ({"num_cells": 0}, {}, "num_cells must be an integer from 1 to 4096, not '0'"),
        ({"seed": -1}, {}, "seed must be an integer from 0 to 2147483647, not '-1'"),
        ({"epochs": 3}, {}, "epochs is not a hyperparameter of direct"),
        ({}, {"seed": 1}, "extensions: seed: direct has hyperparameters only"),
    ],
)
def test_a_wrong_setting_is_named(
    settings: dict[str, object], extensions: dict[str, object], message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        validate_hyperparameters({**LEAST, **settings}, extensions)
    assert message in str(caught.value)
