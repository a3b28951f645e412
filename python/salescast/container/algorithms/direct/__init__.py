"""A feed-forward network that gives the quantiles of each week ahead at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from salescast.container.algorithm import Algorithm, Forecast
from salescast.container.algorithms.direct import model as models
from salescast.container.algorithms.direct.hyperparameters import (
    Hyperparameters,
    parse_hyperparameters,
)
from salescast.container.algorithms.direct.model import DirectModel
from salescast.container.checks import Summary
from salescast.container.inference import InferenceConfig
from salescast.container.records import Record


class Direct:
    """The direct network as the container knows it; it draws no sample paths."""

    def read_hyperparameters(self, texts: Mapping[str, object]) -> Hyperparameters:
        """Check what every algorithm takes, and the settings of training."""
        return parse_hyperparameters(texts)

    def use_threads(self, n_threads: int) -> None:
        """Nothing to do: numpy reads OPENBLAS_NUM_THREADS when it is loaded; 1 is the fastest."""

    def fit(
        self, records: Sequence[Record], hyperparameters: Hyperparameters, summary: Summary
    ) -> DirectModel:
        """Train one network or two."""
        return models.fit(records, hyperparameters, summary)

    def forecast(
        self, model: DirectModel, records: Sequence[Record], config: InferenceConfig
    ) -> Iterator[Forecast]:
        """Yield the forecast of each record, in their order."""
        return models.forecast(model, records, config)

    def save(self, model: DirectModel, folder: Path) -> None:
        """Write what was measured as JSON and the weights as numpy's arrays."""
        models.save_model(model, folder)

    def load(self, folder: Path) -> DirectModel:
        """Read settings and weights."""
        return models.load_model(folder)


ALGORITHM: Algorithm[Hyperparameters, DirectModel] = Direct()
