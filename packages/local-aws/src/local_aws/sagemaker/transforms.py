"""A batch transform from its model to its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from local_aws.sagemaker import rules, storage
from local_aws.sagemaker.errors import JobFailed
from local_aws.sagemaker.joblog import JobLog
from local_aws.sagemaker.jobs import Job, Model
from local_aws.sagemaker.machine import CAPACITY_ERROR, INTERNAL_ERROR, Machine
from salescast.container.errors import ContractError
from salescast.container.packing import unpack_model
from salescast.container.paths import ContainerPaths

LOG_GROUP = "/aws/sagemaker/TransformJobs"
# Without a machine; for a test to see the status, and long enough to be asked to stop.
_CAPACITY_SECONDS = 0.3
# The program has not written its output by then: loading its libraries takes longer.
_DIES_AFTER_SECONDS = 0.5
_TRUNCATED_SHARE = 10


class _Killed(Exception):
    """The program is killed."""


class Transform:
    """One batch transform while it runs."""

    def __init__(self, job: Job, model: Model, machine: Machine) -> None:
        """Read where the input is and what the lines shall look like."""
        self._job = job
        self._machine = machine
        self._request = job.request
        self._container = model.request["PrimaryContainer"]
        # The job's own settings come after the model's.
        self._environment = {
            **self._container.get("Environment", {}),
            **job.request.get("Environment", {}),
        }
        self._input: str = job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        self._join = rules.joined_field(job.request)

    def run(self) -> None:
        """Forecast every object of the input.

        Raises:
            JobFailed: It fails; the objects without a bad line have their output all the same.
            JobStopped: It was stopped.
        """
        job = self._job
        if job.fault == "capacity_errors":
            job.pause(_CAPACITY_SECONDS)
            raise JobFailed(CAPACITY_ERROR)
        if job.fault == "stuck":
            job.begin()
            while True:
                job.pause(1)
        with self._machine.held(job.pause), self._machine.tree(job) as paths:
            log = JobLog(self._machine.logs, LOG_GROUP, job.name)
            job.begin()
            self._fetch_model(paths)
            keys = storage.keys_below(self._machine.s3, self._input)
            if not keys:
                raise JobFailed(
                    f'ClientError: No S3 objects found under S3 URL "{self._input}" given in input '
                    "data source."
                )
            self._check_records_alone()
            dying = keys[len(keys) // 2] if job.fault in ("die", "internal_errors") else None
            failures = []
            for key in keys:
                try:
                    self._transform(key, paths, log, dies=key == dying)
                except _Killed:
                    if job.fault == "internal_errors":
                        raise JobFailed(INTERNAL_ERROR) from None
                    raise JobFailed("AlgorithmError: , exit code: 137") from None
                except JobFailed as failure:
                    failures.append(failure)
            if failures:
                raise failures[0]

    def _fetch_model(self, paths: ContainerPaths) -> None:
        uri = self._container["ModelDataUrl"]
        bucket, key = storage.split_uri(uri)
        archive = paths.root / "model.tar.gz"
        if not storage.exists(self._machine.s3, uri):
            raise JobFailed(f"ClientError: Failed to download model data from {uri}: not found")
        self._machine.s3.download_file(bucket, key, str(archive))
        try:
            unpack_model(archive, paths.model)
        except ContractError as error:
            raise JobFailed(f"ClientError: {error}") from error

    def _check_records_alone(self) -> None:
        """DeepAR's server breaks on anything but one line a request."""
        split = self._request["TransformInput"].get("SplitType", "None")
        strategy = self._request.get("BatchStrategy", "MultiRecord")
        if split != "Line" or strategy != "SingleRecord":
            raise JobFailed(INTERNAL_ERROR)

    def _transform(self, key: str, paths: ContainerPaths, log: JobLog, *, dies: bool) -> None:
        s3 = self._machine.s3
        bucket, _ = storage.split_uri(self._input)
        # Under its own name, which the program tells with a bad line.
        source, target = paths.root / "in" / Path(key).name, paths.root / "out.json"
        source.parent.mkdir(exist_ok=True)
        s3.download_file(bucket, key, str(source))
        self._check_payload(source, key)
        join = ["--join", self._join] if self._join else []
        self._machine.run(
            ["transform", "--input", str(source), "--output", str(target), *join],
            paths,
            log,
            environment=self._environment,
            on_line=lambda _: None,
            on_tick=_killing(self._job) if dies else self._job.check,
        )
        if self._job.fault == "truncate_outputs":
            _truncate(target)
        output = self._request["TransformOutput"]
        if output.get("AssembleWith", "None") == "None":
            target.write_bytes(target.read_bytes().replace(b"\n", b""))
        name = f"{storage.relative(self._input, key)}.out"
        uri = f"{output['S3OutputPath'].rstrip('/')}/{name}"
        storage.upload(s3, target, uri, output.get("KmsKeyId"))

    def _check_payload(self, source: Path, key: str) -> None:
        limit = rules.payload_bytes(self._request)
        with source.open("rb") as lines:
            longest = max((len(line) for line in lines), default=0)
        if longest > limit:
            raise JobFailed(
                f"ClientError: {key}: a record of {longest} bytes exceeds MaxPayloadInMB, "
                f"{limit} bytes"
            )


def _killing(job: Job) -> Callable[[], None]:
    kill_at = time.monotonic() + _DIES_AFTER_SECONDS

    def check() -> None:
        job.check()
        if time.monotonic() > kill_at:
            raise _Killed

    return check


def _truncate(path: Path) -> None:
    """Drop the last tenth of the lines, one at least."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = len(lines) - max(1, len(lines) // _TRUNCATED_SHARE)
    path.write_bytes(b"".join(lines[:kept]))
