"""What the week asks of a forecaster: train a model, turn records into forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from salescast.child import Progress
from salescast.errors import RunError

if TYPE_CHECKING:
    from salescast.settings import Settings

NUM_SAMPLES = 200
"""Sample paths a series, so that the outer quantiles rest on ten of them."""

Use = Literal["training", "transform"]
"""What a job is for."""

NEW_MODEL = (
    "Train a new one: start a new batch (salescast run) without --trained-model; if the champion "
    "stands for it, choose again: salescast champion set MODEL_ID --reason TEXT."
)
"""What to do about an artifact that is no model, which no other attempt can mend."""

StopJob = Callable[[str], bool]
"""Asked at an interrupt whether the job of this name, which runs elsewhere, shall stop too."""


class UnusableOutput(RunError):
    """A job is done, but did not leave what it should: only another job can."""


@dataclass(frozen=True)
class TrainingJob:
    """One training: settings and a channel, worked on in a folder of its own.

    The channel is a folder or an S3 prefix that holds gzipped JSON lines and nothing else. The run
    is what a job elsewhere is found by again.
    """

    name: str
    channel: str
    hyperparameters: Mapping[str, str]
    work: Path
    run_id: str


@dataclass(frozen=True)
class TransformJob:
    """One batch transform: a model, and JSON lines whose `item_id` is joined to the answer.

    The check gets the output file and raises UnusableOutput if it is not what was asked for; any
    other error says nothing about the output.
    """

    name: str
    artifact: Path
    input_file: Path
    output_file: Path
    work: Path
    run_id: str
    check: Callable[[Path], None] = lambda _: None


@dataclass(frozen=True)
class JobUsage:
    """What a job took of the machines that it is billed for.

    Attributes:
        job_name: Name of the job where it ran.
        instance_type: Kind of machine.
        instance_count: Number of machines.
        seconds: From its start to its end, on each of them.
        billable_seconds: Of these the billed ones, on each machine; fewer on spot machines.
        cost_usd: What they cost by the table of prices; None where it has no price.
    """

    job_name: str
    instance_type: str
    instance_count: int
    seconds: float
    billable_seconds: float
    cost_usd: float | None = None

    def __str__(self) -> str:
        """One line for the step's detail."""
        machines = f"{self.instance_count} {self.instance_type}"
        price = "" if self.cost_usd is None else f", about ${self.cost_usd:,.4f}"
        return f"{self.job_name} on {machines}, {self.billable_seconds:,.0f} s billed{price}"


@dataclass(frozen=True)
class Limits:
    """Machines of a job, how long it may take, and what that would cost at most.

    Attributes:
        instance_type: Kind of machine.
        instance_count: Number of machines.
        max_seconds: The job is stopped after that.
        usd_per_hour: Price of one machine; None if it is not known.
        max_usd: Dollars if the job takes all its time; None if the price is not known.
    """

    instance_type: str
    instance_count: int
    max_seconds: int
    usd_per_hour: float | None
    max_usd: float | None


class Forecaster(Protocol):
    """A place that runs DeepAR's container contract."""

    @property
    def name(self) -> str:
        """Word for the place, as in SALESCAST_FORECASTER."""

    @property
    def program(self) -> str:
        """Program or image with its version, kept with each trained model."""

    @property
    def max_attempts(self) -> int:
        """Times a job is started at most; more than once only after a fault of the place itself."""

    @property
    def price_table(self) -> Path | None:
        """File of the prices; None where nothing is billed.

        Raises:
            UserError: The file is missing or broken.
        """

    def limits(self, use: Use) -> Limits | None:
        """The limits of each job of a use; None where nothing is billed.

        Raises:
            UserError: The table of prices is missing or broken.
        """

    def check_ready(self, libraries: Sequence[str] = ()) -> None:
        """Refuse early if no job could start.

        Args:
            libraries: What the jobs import, where they run on this machine.

        Raises:
            UserError: Something must be installed or set first.
        """

    def check_model(self, model_id: str, extensions: Mapping[str, Any]) -> None:
        """Refuse early a model whose settings no job here takes.

        Args:
            model_id: The model, for messages.
            extensions: Its settings that only our own program takes.

        Raises:
            UserError: Names the settings.
        """

    def check_artifact(self, program: str) -> None:
        """Refuse an artifact that no job here can read.

        Args:
            program: The program that trained it, as kept with the trained model.

        Raises:
            UserError: It comes from another program.
        """

    def used(self) -> Sequence[JobUsage]:
        """What the jobs took that this object has seen end; empty where nothing is billed."""

    def train(self, job: TrainingJob) -> Path:
        """Train a model; returns its `model.tar.gz`.

        Raises:
            RunError: The job failed; holds the reason that the program gave.
        """

    def transform(self, job: TransformJob) -> Path:
        """Forecast each record of the input file; returns the output file, which has been checked.

        Raises:
            RunError: The job failed; holds the reason that the program gave.
        """


def open_forecaster(
    settings: Settings,
    progress: Progress = lambda _: None,
    stop_job: StopJob = lambda _: False,
) -> Forecaster:
    """The forecaster that the settings name.

    Args:
        settings: The settings.
        progress: Told the state of long work.
        stop_job: Asked at an interrupt about a job that goes on without this command.

    Raises:
        UserError: A setting that it needs is missing or not allowed.
    """
    if settings.forecaster == "sagemaker":
        from salescast.forecaster.sagemaker.forecaster import open_sagemaker

        return open_sagemaker(settings, progress, stop_job)
    from salescast.forecaster.local import LocalForecaster

    open_s3 = None
    if settings.target == "athena":
        from salescast.s3 import opener

        open_s3 = opener(settings)
    return LocalForecaster(threads=settings.threads, progress=progress, open_s3=open_s3)
