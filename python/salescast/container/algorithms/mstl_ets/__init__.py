"""MSTL with exponential smoothing: each series from its own past, all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from salescast.container.algorithm import Algorithm, Forecast
from salescast.container.algorithms.mstl_ets import model as models
from salescast.container.algorithms.mstl_ets.hyperparameters import (
    Hyperparameters,
    parse_hyperparameters,
)
from salescast.container.algorithms.mstl_ets.model import MstlEtsModel
from salescast.container.checks import Summary
from salescast.container.inference import InferenceConfig
from salescast.container.records import Record


class MstlEts:
    """MSTL with ETS as the container knows it; it draws no sample paths."""

    def read_hyperparameters(self, texts: Mapping[str, object]) -> Hyperparameters:
        """Check what every algorithm takes, the season's length and its smoother's window."""
        return parse_hyperparameters(texts)

    def use_threads(self, n_threads: int) -> None:
        """Nothing to do: all but the building of a small matrix takes one thread."""

    def fit(
        self, records: Sequence[Record], hyperparameters: Hyperparameters, summary: Summary
    ) -> MstlEtsModel:
        """Learn how wide the bands must be."""
        return models.fit(records, hyperparameters, summary)

    def forecast(
        self, model: MstlEtsModel, records: Sequence[Record], config: InferenceConfig
    ) -> Iterator[Forecast]:
        """Yield the forecast of each record, in their order."""
        return models.forecast(model, records, config)

    def save(self, model: MstlEtsModel, folder: Path) -> None:
        """Write what was learnt as JSON."""
        models.save_model(model, folder)

    def load(self, folder: Path) -> MstlEtsModel:
        """Read what was learnt."""
        return models.load_model(folder)


ALGORITHM: Algorithm[Hyperparameters, MstlEtsModel] = MstlEts()
