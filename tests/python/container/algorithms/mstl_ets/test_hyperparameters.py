"""Settings of MSTL with ETS, checked before a job starts."""

from __future__ import annotations

import pytest

from salescast.container.algorithms.mstl_ets.hyperparameters import (
    parse_hyperparameters,
    validate_hyperparameters,
)
from salescast.container.errors import ContractError

LEAST = {"time_freq": "W", "prediction_length": 13}


def test_a_job_gets_texts() -> None:
    texts = validate_hyperparameters({**LEAST, "season_length": 26})
    assert texts == {"time_freq": "W", "prediction_length": "13", "season_length": "26"}
    settings = parse_hyperparameters(texts)
    assert (settings.season_length, settings.seasonal_window) == (26, 11)


def test_without_more_a_season_has_52_weeks() -> None:
    assert parse_hyperparameters(validate_hyperparameters(LEAST)).season_length == 52


@pytest.mark.parametrize(
    ("settings", "extensions", "message"),
    [
        ({"season_length": 1}, {}, "season_length must be an integer from 2 to 1000, not '1'"),
        ({"seasonal_window": 10}, {}, "seasonal_window must be an odd integer >= 3, not '10'"),
        ({"seasonal_window": 1}, {}, "seasonal_window must be an odd integer >= 3, not '1'"),
        ({"seasonal_window": "a"}, {}, "seasonal_window must be an odd integer >= 3"),
        ({"epochs": 3}, {}, "epochs is not a hyperparameter of mstl_ets"),
        ({}, {"seed": 1}, "extensions: seed: mstl_ets has hyperparameters only"),
    ],
)
def test_a_wrong_setting_is_named(
    settings: dict[str, object], extensions: dict[str, object], message: str
) -> None:
    with pytest.raises(ContractError) as caught:
        validate_hyperparameters({**LEAST, **settings}, extensions)
    assert message in str(caught.value)
