"""What the week asks of a forecaster: train a model, turn records into forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from salescast.child import Progress
from salescast.errors import UserError

if TYPE_CHECKING:
    from salescast.settings import Settings

QUANTILES = ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95")
"""Levels that each forecast holds, as the texts DeepAR takes and answers."""

NUM_SAMPLES = 200
"""Sample paths a series, so that the outer quantiles rest on ten of them."""


@dataclass(frozen=True)
class TrainingJob:
    """One training: settings and a channel, worked on in a folder of its own.

    The channel is a folder or an S3 prefix that holds gzipped JSON lines and nothing else.
    """

    name: str
    channel: str
    hyperparameters: Mapping[str, str]
    work: Path


@dataclass(frozen=True)
class TransformJob:
    """One batch transform: a model, and JSON lines whose `item_id` is joined to the answer."""

    name: str
    artifact: Path
    input_file: Path
    output_file: Path
    work: Path


class Forecaster(Protocol):
    """A place that runs DeepAR's container contract."""

    @property
    def name(self) -> str:
        """Word for the place, as in SALESCAST_FORECASTER."""

    @property
    def program(self) -> str:
        """Program or image with its version, kept with each trained model."""

    def check_ready(self) -> None:
        """Refuse early if no job could start.

        Raises:
            UserError: Something must be installed or set first.
        """

    def train(self, job: TrainingJob) -> Path:
        """Train a model; returns its `model.tar.gz`.

        Raises:
            RunError: The job failed; holds the reason that the program gave.
        """

    def transform(self, job: TransformJob) -> Path:
        """Forecast each record of the input file; returns the output file.

        Raises:
            RunError: The job failed; holds the reason that the program gave.
        """


def open_forecaster(settings: Settings, progress: Progress = lambda _: None) -> Forecaster:
    """The forecaster that the settings name.

    Raises:
        UserError: The forecaster is not available yet.
    """
    if settings.forecaster != "local":
        raise UserError(
            f"The forecaster {settings.forecaster} is not available yet.",
            where="SALESCAST_FORECASTER",
            fix="Unset it, or set it to local.",
        )
    from salescast.forecaster.local import LocalForecaster

    open_s3 = None
    if settings.target == "athena":
        from salescast.s3 import opener

        open_s3 = opener(settings)
    return LocalForecaster(threads=settings.threads, progress=progress, open_s3=open_s3)
