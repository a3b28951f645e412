"""DeepAR: GluonTS's network with a training loop and a sampler of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from salescast.container.algorithm import Algorithm, Forecast
from salescast.container.algorithms.deepar.hyperparameters import (
    Hyperparameters,
    parse_hyperparameters,
)
from salescast.container.checks import Summary
from salescast.container.inference import InferenceConfig
from salescast.container.records import Record

if TYPE_CHECKING:
    from salescast.container.algorithms.deepar.network import TrainedModel


# torch takes seconds to import: wrong settings should not wait for it.
class DeepAR:
    """DeepAR as the container knows it."""

    def read_hyperparameters(self, texts: Mapping[str, object]) -> Hyperparameters:
        """Check what SageMaker's DeepAR takes, and our extensions."""
        return parse_hyperparameters(texts)

    def use_threads(self, n_threads: int) -> None:
        """Compute on this many threads."""
        import torch

        torch.set_num_threads(n_threads)

    def fit(
        self, records: Sequence[Record], hyperparameters: Hyperparameters, summary: Summary
    ) -> TrainedModel:
        """Train the networks of a model."""
        from salescast.container.algorithms.deepar.fit import fit

        return fit(records, hyperparameters, summary)

    def forecast(
        self, model: TrainedModel, records: Sequence[Record], config: InferenceConfig
    ) -> Iterator[Forecast]:
        """Yield what each record's sample paths say."""
        from salescast.container.algorithms.deepar.network import sample_paths

        for paths in sample_paths(model, records, config.num_samples):
            yield Forecast.of_samples(paths, config)

    def save(self, model: TrainedModel, folder: Path) -> None:
        """Write settings and weights."""
        from salescast.container.algorithms.deepar.network import save_model

        save_model(model, folder)

    def load(self, folder: Path) -> TrainedModel:
        """Read settings and weights."""
        from salescast.container.algorithms.deepar.network import load_model

        return load_model(folder)


ALGORITHM: Algorithm[Hyperparameters, TrainedModel] = DeepAR()
