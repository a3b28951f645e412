"""DeepAR on SageMaker: a training job, then a model and a batch transform of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import boto3

from salescast.aws import client, impatient_client, open_session
from salescast.child import Progress
from salescast.container.algorithms.deepar.hyperparameters import SAGEMAKER_HYPERPARAMETERS
from salescast.errors import UserError
from salescast.forecaster import (
    JobUsage,
    Limits,
    StopJob,
    TrainingJob,
    TransformJob,
    UnusableOutput,
    Use,
)
from salescast.forecaster.sagemaker.bill import limits_of
from salescast.forecaster.sagemaker.checking import check_request
from salescast.forecaster.sagemaker.images import built_in_image, check_image
from salescast.forecaster.sagemaker.jobs import RETRIES, TRAINING, TRANSFORM, Jobs
from salescast.forecaster.sagemaker.prices import Prices, read_prices
from salescast.forecaster.sagemaker.requests import Request, Requests, Staging
from salescast.forecaster.sagemaker.settings import SageMakerSettings, load_sagemaker_settings
from salescast.forecaster.sagemaker.staging import (
    join_output,
    n_parts,
    put_exactly,
    split_lines,
)
from salescast.lake.trained_models import is_built_in
from salescast.s3 import Prefix, opener
from salescast.settings import S3, Settings

_GPU = re.compile(r"ml\.(p|g)\d")


class SageMakerForecaster:
    """Runs each step of a run as a job that is named after the run."""

    name = "sagemaker"
    max_attempts = 1 + RETRIES

    def __init__(
        self,
        settings: Settings,
        sagemaker: SageMakerSettings,
        *,
        progress: Progress = lambda _: None,
        stop_job: StopJob = lambda _: False,
    ) -> None:
        """Keep the settings; AWS is asked for nothing yet.

        Args:
            settings: Region, credentials, key and staging prefix.
            sagemaker: What the jobs are asked for with.
            progress: Told the status of a job.
            stop_job: Asked at an interrupt whether the job shall stop too.
        """
        self._settings = settings
        self._sagemaker = sagemaker
        self._progress = progress
        self._stop_job = stop_job
        self._used: list[JobUsage] = []
        self._open_s3: Callable[[str], Prefix] = opener(settings)

    @cached_property
    def _session(self) -> boto3.Session:
        return open_session(self._settings)

    @cached_property
    def _jobs(self) -> Jobs:
        return Jobs(
            client(self._session, "sagemaker"),
            impatient_client(self._session, "logs"),
            self._sagemaker.poll_seconds,
            progress=self._progress,
            stop_job=self._stop_job,
            used=self._used,
            cost_usd=partial(self._prices.cost_usd, str(self._session.region_name)),
        )

    @cached_property
    def _prices(self) -> Prices:
        return read_prices(self._sagemaker.prices)

    @cached_property
    def _image(self) -> str:
        return self._sagemaker.image or built_in_image(str(self._session.region_name))

    @property
    def program(self) -> str:
        """URI of the image, kept with each trained model."""
        return self._image

    @property
    def price_table(self) -> Path:
        """File of the prices.

        Raises:
            UserError: It is missing or broken.
        """
        return self._prices.source

    def limits(self, use: Use) -> Limits:
        """The limits of each job of a use.

        Raises:
            UserError: The table of prices is missing or broken.
        """
        return limits_of(use, self._sagemaker, self._prices, str(self._session.region_name))

    def check_ready(self, libraries: Sequence[str] = ()) -> None:
        """Refuse early if no job could start; the image has the libraries.

        Raises:
            UserError: A setting is missing, or is not what SageMaker takes.
        """
        settings = self._sagemaker
        if settings.role_arn is None:
            raise UserError(
                "SageMaker's jobs need a role to work with.",
                where="SALESCAST_SAGEMAKER_ROLE_ARN",
                fix="Set it to a role's ARN; docs/sagemaker.md has the rights it needs.",
            )
        if settings.image is not None:
            check_image(settings.image, str(self._session.region_name))
        if bool(settings.subnets) != bool(settings.security_groups):
            raise UserError(
                "A VPC needs both subnets and security groups.",
                where="SALESCAST_SAGEMAKER_SUBNETS, SALESCAST_SAGEMAKER_SECURITY_GROUPS",
                fix="Set both, or none of them.",
            )
        if settings.train_instance_count > 1 and not is_built_in(self._image):
            raise UserError(
                "Our own image trains on one machine: each of "
                f"{settings.train_instance_count} would train the same model, and be billed.",
                where="SALESCAST_SAGEMAKER_TRAIN_INSTANCE_COUNT",
                fix="Set it to 1, and for a faster training name a larger machine in "
                "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE.",
            )
        if is_built_in(self._image) and _GPU.match(settings.transform_instance_type):
            raise UserError(
                "The built-in DeepAR forecasts on CPUs only, "
                f"{settings.transform_instance_type} has GPUs.",
                where="SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE",
                fix="Set it to a machine without GPUs, as ml.m5.xlarge.",
            )
        some_run = self._requests("a-run")
        channel = some_run.staging.train
        for operation, request in (
            ("CreateTrainingJob", some_run.training_job(1, {}, channel)),
            ("CreateModel", some_run.model(1)),
            ("CreateTransformJob", some_run.transform_job(1)),
        ):
            check_request(self._jobs.client, operation, request)

    def check_model(self, model_id: str, extensions: Mapping[str, Any]) -> None:
        """Refuse extensions where the built-in DeepAR is to be trained.

        Raises:
            UserError: The model has some.
        """
        self._refuse_extensions(model_id, extensions)

    def check_artifact(self, program: str) -> None:
        """Refuse an artifact of the built-in DeepAR for our image, and the reverse.

        Raises:
            UserError: It comes from the other one.
        """
        if is_built_in(program) == is_built_in(self._image):
            return
        raise UserError(
            f"The model was trained by {program}, which {self._image} cannot read.",
            where="SALESCAST_SAGEMAKER_IMAGE",
            fix="Unset it to forecast with the built-in DeepAR, or train a new model."
            if is_built_in(program)
            else "Set it to our own image, or train a new model.",
        )

    def used(self) -> Sequence[JobUsage]:
        """What the jobs took that this object has seen end."""
        return tuple(self._used)

    def train(self, job: TrainingJob) -> Path:
        """Train a model; returns its `model.tar.gz` in the work folder.

        Raises:
            SalescastError: The job could not be started or failed; says why and what to do.
        """
        self._refuse_extensions(job.name, set(job.hyperparameters) - set(SAGEMAKER_HYPERPARAMETERS))
        requests = self._requests(job.run_id)
        # In place where it is on S3 already, else copied there.
        is_on_s3 = job.channel.startswith(S3)
        channel = f"{job.channel.rstrip('/')}/" if is_on_s3 else requests.staging.train

        def prepare(_: int) -> None:
            if not is_on_s3:
                files = {path.name: path for path in Path(job.channel).iterdir()}
                put_exactly(self._open_s3(channel), files)

        def take(attempt: int, answer: Request) -> Path:
            place, _, name = answer["ModelArtifacts"]["S3ModelArtifacts"].rpartition("/")
            output = self._open_s3(place)
            if not output.has(name):
                raise UnusableOutput(
                    f"{job.name}: the training left no model.",
                    where=f"{place}/{name}",
                    fix="`salescast run --resume` trains once more.",
                )
            return output.download(name, job.work / "model.tar.gz")

        return self._jobs.carry_out(
            TRAINING,
            job.name,
            name=requests.training_job_name,
            request=lambda attempt: requests.training_job(attempt, job.hyperparameters, channel),
            prepare=prepare,
            take=take,
            keep_log=partial(_keep_log, job.work / "train.log"),
            epochs=job.hyperparameters.get("epochs"),
        )

    def transform(self, job: TransformJob) -> Path:
        """Forecast each record of the input file; returns the output file.

        Raises:
            SalescastError: The job could not be started or failed; says why and what to do.
        """
        requests = self._requests(job.run_id)
        staging = requests.staging

        def prepare(attempt: int) -> None:
            n = n_parts(job.input_file, self._sagemaker.transform_instance_count)
            folder = job.work / "transform_input"
            parts = split_lines(job.input_file, n, folder)
            put_exactly(self._open_s3(staging.transform_input), parts)
            shutil.rmtree(folder)
            place, _, name = staging.model.rpartition("/")
            put_exactly(self._open_s3(place), {name: job.artifact})
            self._jobs.create_model(requests.model(attempt))

        def take(_: int, answer: Request) -> Path:
            # Where the job was sent, which the staging prefix of today need not be.
            inputs = answer["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
            join_output(
                self._open_s3(answer["TransformOutput"]["S3OutputPath"]),
                list(self._open_s3(inputs).sizes("")),
                job.output_file,
            )
            job.check(job.output_file)
            return job.output_file

        return self._jobs.carry_out(
            TRANSFORM,
            job.name,
            name=requests.transform_job_name,
            request=requests.transform_job,
            prepare=prepare,
            take=take,
            keep_log=partial(_keep_log, job.work / "transform.log"),
            max_seconds=self._sagemaker.transform_max_seconds,
        )

    def _requests(self, run_id: str) -> Requests:
        return Requests(
            run_id=run_id,
            image=self._image,
            staging=Staging(f"{self._settings.sagemaker_staging_uri}/{run_id}"),
            settings=self._sagemaker,
            kms_key_id=self._settings.kms_key_id,
        )

    def _refuse_extensions(self, model: str, extensions: set[str] | Mapping[str, Any]) -> None:
        if extensions and is_built_in(self._image):
            raise UserError(
                f"The built-in DeepAR knows no extensions, but {model} has "
                f"{', '.join(sorted(extensions))}.",
                where="models.toml",
                fix="Set SALESCAST_SAGEMAKER_IMAGE to our own image, which makes every model; or "
                "give models.toml a DeepAR of its own without [….extensions] and name it with "
                "--model (docs/sagemaker.md).",
            )


def open_sagemaker(
    settings: Settings, progress: Progress, stop_job: StopJob
) -> SageMakerForecaster:
    """The forecaster with the jobs' settings from the environment.

    Raises:
        UserError: A variable has a value that is not allowed.
    """
    return SageMakerForecaster(
        settings, load_sagemaker_settings(), progress=progress, stop_job=stop_job
    )


def _keep_log(file: Path, lines: list[str]) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file
