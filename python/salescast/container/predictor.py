"""A trained model with its algorithm, and how the model folder remembers which one that is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescast.container.algorithm import (
    DEFAULT_ALGORITHM,
    Algorithm,
    Forecast,
    Model,
    find_algorithm,
)
from salescast.container.checks import check_inference_records
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.paths import read_json_object
from salescast.container.records import Record

ALGORITHM_FILE = "algorithm.json"


@dataclass(frozen=True)
class Predictor:
    """A model and the algorithm that made it."""

    algorithm: Algorithm[Any, Any]
    model: Model

    def check_records(self, records: Sequence[Record]) -> None:
        """Check records against the contract and the model.

        Raises:
            ContractError: Names the first bad record and its field.
        """
        inputs = self.model.inputs
        check_inference_records(
            records,
            prediction_length=inputs.prediction_length,
            time_freq=inputs.time_freq,
            cardinality=inputs.cardinality,
            num_dynamic_feat=inputs.num_dynamic_feat,
            weekday=inputs.weekday,
        )

    def forecast(self, records: Sequence[Record], config: InferenceConfig) -> Iterator[Forecast]:
        """Yield the forecast of each record, in their order."""
        return self.algorithm.forecast(self.model, records, config)


def save_predictor(name: str, predictor: Predictor, folder: Path) -> None:
    """Write a model and, unless it is the default one's, the name of its algorithm."""
    predictor.algorithm.save(predictor.model, folder)
    file = folder / ALGORITHM_FILE
    if name == DEFAULT_ALGORITHM:
        file.unlink(missing_ok=True)
    else:
        file.write_text(json.dumps({"algorithm": name}) + "\n", encoding="utf-8")


def load_predictor(folder: Path, n_threads: int | None = None) -> Predictor:
    """Read the model of a folder with the algorithm that it names.

    Args:
        folder: The container's model folder.
        n_threads: Threads to compute on; None for all cores.

    Raises:
        ContractError: The algorithm is not known, or the folder does not hold a model of it.
    """
    file = folder / ALGORITHM_FILE
    name = read_json_object(file).get("algorithm") if file.exists() else DEFAULT_ALGORITHM
    algorithm = find_algorithm(name)
    if n_threads is not None:
        algorithm.use_threads(n_threads)
    try:
        return Predictor(algorithm, algorithm.load(folder))
    except ContractError:
        raise
    except Exception as error:
        # Damaged files fail in any way that a library of theirs knows.
        raise ContractError(f"{folder.name}: {NO_MODEL}: {error}") from error
