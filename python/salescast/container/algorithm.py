"""What an algorithm offers to the container, and how one is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from salescast.container import algorithms
from salescast.container.checks import Summary
from salescast.container.errors import ContractError
from salescast.container.hyperparameters import DataHyperparameters
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record

DEFAULT_ALGORITHM = "deepar"
"""The algorithm of a job or a model archive that names none."""


@dataclass(frozen=True)
class ModelInputs:
    """Which records a trained model takes; None leaves a thing unchecked.

    Attributes:
        prediction_length: Steps that it forecasts, and that dynamic_feat reaches beyond target.
        time_freq: Frequency of the series.
        cardinality: Codes known at each position of cat.
        num_dynamic_feat: Features a record.
        weekday: Weekday on which the series start, Monday is 0.
    """

    prediction_length: int
    time_freq: str
    cardinality: tuple[int, ...] | None
    num_dynamic_feat: int | None
    weekday: int | None


class Model(Protocol):
    """What an algorithm has learnt."""

    @property
    def inputs(self) -> ModelInputs:
        """Which records it takes."""


@dataclass(frozen=True)
class Forecast:
    """The forecast of one record; what was not asked for is None.

    Attributes:
        mean: One value a step.
        quantiles: Level by step, in the order of the levels asked for.
        samples: Sample by step; None too where the algorithm draws no sample paths.
    """

    mean: FloatArray | None = None
    quantiles: FloatArray | None = None
    samples: FloatArray | None = None

    @classmethod
    def of_samples(cls, samples: FloatArray, config: InferenceConfig) -> Forecast:
        """What is asked for, from sample paths: sample by step."""
        wanted = config.output_types
        return cls(
            mean=samples.mean(axis=0) if "mean" in wanted else None,
            quantiles=np.quantile(samples, config.levels, axis=0)
            if "quantiles" in wanted
            else None,
            samples=samples if "samples" in wanted else None,
        )

    def values(self, output_type: str) -> FloatArray:
        """The mean, quantiles or samples.

        Raises:
            ContractError: The algorithm has not made them.
        """
        made = {"mean": self.mean, "quantiles": self.quantiles, "samples": self.samples}
        values = made[output_type]
        if values is None:
            raise ContractError(f"output_types: the model's algorithm makes no {output_type}")
        return values


H = TypeVar("H", bound=DataHyperparameters)
M = TypeVar("M", bound=Model)


class Algorithm(Protocol[H, M]):
    """One algorithm; what it raises for data or settings is a ContractError.

    The same records, hyperparameters and seed give the same forecasts, whatever the order or the
    batching of the records.
    """

    def read_hyperparameters(self, texts: Mapping[str, object]) -> H:
        """Check the hyperparameters of a job, all of them strings.

        Raises:
            ContractError: Names every one that is missing, unknown or wrong.
        """

    def use_threads(self, n_threads: int) -> None:
        """Compute on this many threads from now on; without a call, on all cores."""

    def fit(self, records: Sequence[Record], hyperparameters: H, summary: Summary) -> M:
        """Learn from the records of the train channel, which are checked; summary counts them."""

    def forecast(
        self, model: M, records: Sequence[Record], config: InferenceConfig
    ) -> Iterator[Forecast]:
        """Yield the forecast of each record, in their order; they suit the model's inputs."""

    def save(self, model: M, folder: Path) -> None:
        """Write a model into the job's model folder; nothing in its files is code."""

    def load(self, folder: Path) -> M:
        """Read a model that `save` has written.

        Raises:
            ContractError: The folder does not hold one.
        """


def algorithm_names() -> list[str]:
    """Names of the algorithms of this program."""
    return sorted(module.name for module in pkgutil.iter_modules(algorithms.__path__))


def find_algorithm(name: object) -> Algorithm[Any, Any]:
    """The algorithm of a name.

    Raises:
        ContractError: There is none; lists those that there are.
    """
    names = algorithm_names()
    if name not in names:
        raise ContractError(f"algorithm must be one of {', '.join(names)}, not {name!r}")
    module = importlib.import_module(f"{algorithms.__name__}.{name}")
    algorithm: Algorithm[Any, Any] = module.ALGORITHM
    return algorithm
