"""What a trained recipe asks of the container: its algorithm by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from salescast.recipes import Model
from salescast.recipes.trained import Algorithm, job_hyperparameters


def as_texts(hyperparameters: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in hyperparameters.items()}


@pytest.mark.parametrize(
    ("name", "named"), [("deepar", {}), ("last_value", {"algorithm": "last_value"})]
)
def test_a_job_names_its_algorithm_unless_it_is_the_containers_own(
    name: str, named: dict[str, str]
) -> None:
    model = Model("mine", name, {"hyperparameters": {"epochs": 2}})
    found = job_hyperparameters(Algorithm(name, as_texts), model, prediction_length=4)
    assert found == {"epochs": "2", "prediction_length": "4", **named}
