"""A training job from its machine to its artifact."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from local_aws.sagemaker import images, storage
from local_aws.sagemaker.errors import JobFailed, JobStopped
from local_aws.sagemaker.joblog import JobLog
from local_aws.sagemaker.jobs import Job
from local_aws.sagemaker.machine import CAPACITY_ERROR, INTERNAL_ERROR, Machine
from local_aws.sagemaker.rules import CHECKPOINTS, CONTAINER_TREE, DAY
from salescast.container.algorithms.deepar.hyperparameters import validate_hyperparameters
from salescast.container.errors import ContractError
from salescast.container.packing import pack_model
from salescast.container.paths import ContainerPaths

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
# What AWS looks for in the log of its DeepAR.
_BUILT_IN_METRICS = {
    "test:RMSE": r"#quality_metric: host=\S+, test RMSE <loss>=(\S+)",
    "test:mean_wQuantileLoss": r"#quality_metric: host=\S+, test mean_wQuantileLoss <loss>=(\S+)",
    "train:final_loss": r"#quality_metric: host=\S+, train final_loss <loss>=(\S+)",
    "train:loss": r"#quality_metric: host=\S+, epoch=\S+, train loss <loss>=(\S+)",
    "train:loss:batch": r"#quality_metric: host=\S+, epoch=\S+, batch=\S+ train loss <loss>=(\S+)",
    "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
    "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
}
_EPOCH = re.compile(_BUILT_IN_METRICS["train:loss"])
# Without a machine; for a test to see the status, and long enough to be asked to stop.
_CAPACITY_SECONDS = 0.3
_INTERRUPTED_SECONDS = 0.5


class _Interrupted(Exception):
    """The spot machine is taken away."""


class _InternalError(Exception):
    """The platform fails; the job is tried again as often as its RetryStrategy says."""


class _Killed(Exception):
    """The program is killed."""


class Training:
    """One training job while it runs."""

    def __init__(self, job: Job, machine: Machine) -> None:
        """Read the limits and what to look for in the log."""
        self._job = job
        self._machine = machine
        self._request = job.request
        limits = job.request.get("StoppingCondition", {})
        self._max_run = float(limits.get("MaxRuntimeInSeconds", DAY))
        self._max_wait = float(limits.get("MaxWaitTimeInSeconds", math.inf))
        self._ran = 0.0
        self._began: float | None = None
        self._fault = job.fault
        self._retries = job.request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0)
        algorithm = job.request["AlgorithmSpecification"]
        self._built_in = images.is_built_in(algorithm["TrainingImage"])
        metrics: Mapping[str, str] = (
            _BUILT_IN_METRICS
            if self._built_in
            else {each["Name"]: each["Regex"] for each in algorithm.get("MetricDefinitions", ())}
        )
        self._metrics = {name: re.compile(regex) for name, regex in metrics.items()}

    def run(self) -> str:
        """Take the job through its statuses, up to the end; returns the artifact's URI.

        Raises:
            JobFailed: It fails.
            JobStopped: It was stopped, or a limit is reached.
        """
        job = self._job
        job.enter("Starting", "Preparing the instances for training")
        if self._fault == "capacity_errors":
            self._pause(_CAPACITY_SECONDS)
            raise JobFailed(CAPACITY_ERROR)
        if self._fault == "stuck":
            self._be_stuck()
        with self._machine.held(self._pause):
            log = JobLog(self._machine.logs, LOG_GROUP, job.name)
            return self._artifact(log)

    def _artifact(self, log: JobLog) -> str:
        """Train until it is done, each time on a machine that holds nothing yet."""
        while True:
            with self._machine.tree(self._job) as paths:
                try:
                    self._attempt(paths, log)
                except _Interrupted:
                    self._job.enter("Interrupted", "Training job interrupted")
                    self._pause(_INTERRUPTED_SECONDS)
                except _InternalError:
                    if not self._retries:
                        raise JobFailed(INTERNAL_ERROR) from None
                    self._retries -= 1
                except _Killed:
                    raise JobFailed("AlgorithmError: , exit code: 137") from None
                else:
                    return self._upload(paths)
            # It meets its fault once.
            self._fault = None
            self._job.enter("Restarting", "Restarting the training job")

    def _attempt(self, paths: ContainerPaths, log: JobLog) -> None:
        job = self._job
        job.begin()
        self._began = time.monotonic()
        try:
            job.enter("Downloading", "Downloading input data")
            self._lay_out(paths)
            self._check()
            job.enter("Training", "Training image download completed. Training in progress.")
            self._check_hyperparameters(log)
            self._machine.run(
                ["train"],
                paths,
                log,
                environment=self._request.get("Environment", {}),
                on_line=self._look_at,
                on_tick=self._check,
            )
        finally:
            self._ran += time.monotonic() - self._began
            job.billable_seconds = self._ran
            self._began = None
            self._keep_checkpoints(paths)

    def _lay_out(self, paths: ContainerPaths) -> None:
        channels = self._request.get("InputDataConfig", [])
        _write(paths.hyperparameters, self._request.get("HyperParameters", {}))
        _write(
            paths.input_data_config,
            {each["ChannelName"]: _channel_settings(each) for each in channels},
        )
        _write(
            paths.hyperparameters.with_name("resourceconfig.json"),
            {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "network_interface_name": "eth0",
                "current_instance_type": self._request["ResourceConfig"]["InstanceType"],
            },
        )
        for each in channels:
            folder = paths.channel(each["ChannelName"])
            storage.download(self._machine.s3, each["DataSource"]["S3DataSource"]["S3Uri"], folder)
        if uri := self._checkpoint_uri():
            storage.download(self._machine.s3, uri, self._checkpoint_folder(paths))

    def _check_hyperparameters(self, log: JobLog) -> None:
        """Refuse what only our program takes, as AWS's container does."""
        if not self._built_in:
            return
        try:
            validate_hyperparameters(self._request.get("HyperParameters", {}))
        except ContractError as error:
            log.add(f"ClientError: {error}")
            log.flush(now=True)
            raise JobFailed(f"ClientError: {error}") from None

    def _look_at(self, line: str) -> None:
        for name, regex in self._metrics.items():
            if found := regex.search(line):
                self._note(name, found[1])
        if not _EPOCH.search(line):
            return
        if self._fault == "spot_interruptions":
            raise _Interrupted
        if self._fault == "internal_errors":
            raise _InternalError
        if self._fault == "die":
            raise _Killed

    def _note(self, name: str, text: str) -> None:
        try:
            value = float(text)
        except ValueError:
            return
        # JSON has no other numbers.
        if math.isfinite(value):
            self._job.note_metric(name, value)

    def _upload(self, paths: ContainerPaths) -> str:
        output = self._request["OutputDataConfig"]
        uri = f"{output['S3OutputPath'].rstrip('/')}/{self._job.name}/output/model.tar.gz"
        self._job.enter("Uploading", "Uploading generated training model")
        artifact = paths.root / "model.tar.gz"
        pack_model(paths.model, artifact)
        storage.upload(self._machine.s3, artifact, uri, output.get("KmsKeyId"))
        return uri

    def _checkpoint_uri(self) -> str | None:
        """Where checkpoints are kept, with a `/` at its end."""
        uri: str | None = self._request.get("CheckpointConfig", {}).get("S3Uri")
        return f"{uri.rstrip('/')}/" if uri else None

    def _checkpoint_folder(self, paths: ContainerPaths) -> Path:
        local: str = self._request["CheckpointConfig"].get("LocalPath", CHECKPOINTS)
        return paths.root / PurePosixPath(local).relative_to(CONTAINER_TREE)

    def _keep_checkpoints(self, paths: ContainerPaths) -> None:
        if uri := self._checkpoint_uri():
            storage.upload_folder(self._machine.s3, self._checkpoint_folder(paths), uri)

    def _be_stuck(self) -> None:
        self._job.begin()
        self._began = time.monotonic()
        self._job.enter("Downloading", "Downloading input data")
        self._job.enter("Training", "Training image download completed. Training in progress.")
        while True:
            self._pause(1)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._check()
            self._job.pause(min(0.1, seconds))

    def _check(self) -> None:
        """End what was asked to stop or has used up its time."""
        self._job.check()
        running = time.monotonic() - self._began if self._began is not None else 0.0
        if time.time() - self._job.created > self._max_wait:
            raise JobStopped("MaxWaitTimeExceeded", "Training job wait time exceeded MaxWaitTime")
        if self._ran + running > self._max_run:
            raise JobStopped("MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntime")


def _channel_settings(channel: Mapping[str, Any]) -> dict[str, str]:
    settings = {"TrainingInputMode": "File", "RecordWrapperType": "None"}
    source = channel["DataSource"]["S3DataSource"]
    settings["S3DistributionType"] = source.get("S3DataDistributionType", "FullyReplicated")
    if "ContentType" in channel:
        settings["ContentType"] = channel["ContentType"]
    return settings


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
