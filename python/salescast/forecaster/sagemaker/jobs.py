"""SageMaker's jobs: created or found again, waited for, stopped, and counted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from botocore import xform_name
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from salescast.aws import error_code, is_unauthenticated, told
from salescast.child import Progress
from salescast.errors import RunError, SalescastError, UserError
from salescast.forecaster import JobUsage, StopJob, UnusableOutput, Use
from salescast.forecaster.sagemaker.checking import check_request
from salescast.forecaster.sagemaker.failures import RESUME, fix_of, is_retryable, job_failed
from salescast.forecaster.sagemaker.logs import JobLog
from salescast.forecaster.sagemaker.requests import Request

Taken = TypeVar("Taken")

_PASSING = {
    *("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"),
    *("InternalFailure", "ServiceUnavailable", "InternalServerError"),
}
UNKNOWN = {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
"""What an unknown name gets: it differs between the operations and their documentation."""
_TRIES = 10
_LONGEST_PAUSE = 60.0
RETRIES = 2
"""How often a step is tried again after a fault of AWS."""
_PAUSE_POLLS = 10
_UNKNOWN_SECONDS = 600.0
_TAIL = 8

IN_PROGRESS, COMPLETED, FAILED, STOPPED = "InProgress", "Completed", "Failed", "Stopped"
_ENDED = {COMPLETED, FAILED, STOPPED}


@dataclass(frozen=True)
class JobKind:
    """Training and transform jobs differ in the names that the API gives them."""

    word: str
    use: Use
    noun: str
    resources: str
    log_group: str
    decisive: tuple[tuple[str, ...], ...]
    """Paths in a request to what decides the result; a description has the same."""

    def operation(self, verb: str) -> str:
        """As `DescribeTrainingJob`."""
        return f"{verb}{self.noun}"

    def status(self, answer: Request) -> str:
        """Status in a description of a job."""
        return str(answer[f"{self.noun}Status"])

    def moment(self, which: str, answer: Request) -> datetime | None:
        """`Start` or `End` of the billed time, if it is known."""
        return answer.get(f"{self.noun.removesuffix('Job')}{which}Time")

    def differences(self, request: Request, answer: Request) -> list[str]:
        """Names of what decides the result and is not in a job as the request asks for it."""
        return [path[-1] for path in self.decisive if _part(request, path) != _part(answer, path)]


TRAINING = JobKind(
    word="training job",
    use="training",
    noun="TrainingJob",
    resources="ResourceConfig",
    log_group="/aws/sagemaker/TrainingJobs",
    decisive=(("AlgorithmSpecification", "TrainingImage"), ("HyperParameters",)),
)
TRANSFORM = JobKind(
    word="transform job",
    use="transform",
    noun="TransformJob",
    resources="TransformResources",
    log_group="/aws/sagemaker/TransformJobs",
    # The image is in the model, and no other reads the artifact that it was trained by.
    decisive=(("Environment",),),
)


@dataclass
class Jobs:
    """Runs jobs by deterministic names, so that a killed command finds its own again.

    Args:
        client: A client of boto3 for SageMaker.
        logs: A client for CloudWatch Logs.
        poll_seconds: Between two looks at a job; pauses after failures are multiples of it.
        progress: Told the status of a job.
        stop_job: Asked at an interrupt whether the job shall stop too.
        used: What the jobs took that have ended.
        cost_usd: Dollars for a use, an instance type, a number of machines and the seconds of each.
        sleep: Waits some seconds.
    """

    client: Any
    logs: Any
    poll_seconds: float
    progress: Progress = lambda _: None
    stop_job: StopJob = lambda _: False
    used: list[JobUsage] = field(default_factory=list)
    cost_usd: Callable[[Use, str, int, float], float | None] = lambda *_: None
    sleep: Callable[[float], None] = time.sleep

    def carry_out(
        self,
        kind: JobKind,
        title: str,
        *,
        name: Callable[[int], str],
        request: Callable[[int], Request],
        prepare: Callable[[int], None],
        take: Callable[[int, Request], Taken],
        keep_log: Callable[[list[str]], Path],
        epochs: str | None = None,
        max_seconds: float | None = None,
    ) -> Taken:
        """Do one step as the first job that succeeds; a job that is there already is the step's.

        What ended before this command looked is passed over unless it succeeded and is what this
        command asks for. What fails while it waits is told, and tried again only where AWS itself
        was at fault.

        Args:
            kind: Training or transform.
            title: The step as people know it.
            name: Name of the n-th job, from 1.
            request: What starts the n-th job.
            prepare: Puts its inputs in place.
            take: Fetches what the n-th job left; gets its description.
            keep_log: Keeps the newest lines of a job's log; returns the file.
            epochs: How many a training has, for its progress.
            max_seconds: A job that is older is stopped.

        Raises:
            SalescastError: A job could not be started, or did not succeed; or one that was asked
                for otherwise is still at work.
        """
        retries = 0
        for attempt in count(1):
            job, asked = name(attempt), request(attempt)
            log = JobLog(self.logs, kind.log_group, job, epochs)
            found = self.describe(kind, job)
            is_old = found is not None and kind.status(found) != IN_PROGRESS
            if found is None:
                self.progress(f"{title}: asks for {job}")
                prepare(attempt)
            elif not is_old and (differences := kind.differences(asked, found)):
                raise _other_at_work(kind, job, differences)
            with self._interruptible(kind, job):
                if found is None:
                    self.create(kind, asked)
                answer, is_late = self._wait(kind, job, title, log, max_seconds)
            self.used.append(self._usage(kind, job, answer))
            status = kind.status(answer)
            if differences := kind.differences(asked, answer):
                what = ", ".join(differences)
                self.progress(f"{title}: {job} was asked for with another {what}, passed over")
                continue
            if status == COMPLETED:
                try:
                    return take(attempt, answer)
                except UnusableOutput as error:
                    if not is_old:
                        log.read()
                        log_file = str(keep_log(log.lines))
                        where = f"{error.where}, {log_file}" if error.where else log_file
                        raise UnusableOutput(error.what, where, error.fix) from error
            if is_old:
                self.progress(f"{title}: {job} is of no use ({status}), asks for the next")
                continue
            reason = _reason(kind, answer, is_late)
            if status == FAILED and is_retryable(reason) and retries < RETRIES:
                retries += 1
                self.progress(f"{title}: {job} failed, another is asked for soon: {reason}")
                self.sleep(self.poll_seconds * _PAUSE_POLLS * retries * random.uniform(0.8, 1.2))
                continue
            log.read()
            raise job_failed(
                f"{title}: the {kind.word} {job} ended as {status}",
                reason,
                log.tail(_TAIL),
                f"{kind.log_group} {job}, {keep_log(log.lines)}",
            )
        raise AssertionError("attempts are counted without end")

    def _usage(self, kind: JobKind, job: str, answer: Request) -> JobUsage:
        resources = answer.get(kind.resources, {})
        machines = str(resources.get("InstanceType", "")), int(resources.get("InstanceCount", 1))
        start, end = kind.moment("Start", answer), kind.moment("End", answer)
        seconds = (end - start).total_seconds() if start and end else 0.0
        # Transform jobs are billed by the clock and do not tell it.
        told = answer.get("BillableTimeInSeconds", answer.get("TrainingTimeInSeconds"))
        billed = float(seconds if told is None else told)
        cost_usd = self.cost_usd(kind.use, *machines, billed)
        return JobUsage(job, *machines, seconds, billed, cost_usd)

    def create(self, kind: JobKind, request: Request) -> None:
        """Check a request and send it; a job of this name that is there already is ours.

        Raises:
            UserError: SageMaker would not accept it, or refuses it.
        """
        operation = kind.operation("Create")
        check_request(self.client, operation, request)
        try:
            self.call(operation, request)
        except ClientError as error:
            # The answer to an earlier request was lost, or Describe does not know the job yet.
            if error_code(error) != "ResourceInUse":
                raise refused(error) from error

    def create_model(self, request: Request) -> None:
        """Make a model; one of this name that was made otherwise is replaced.

        Raises:
            UserError: SageMaker would not accept it, or refuses it.
        """
        check_request(self.client, "CreateModel", request)
        try:
            self.call("CreateModel", request)
        except ClientError as error:
            if not _is_taken(error):
                raise refused(error) from error
            # A killed command has made it, or the answer was lost; the settings may have changed.
            if not self._has_model(request):
                self._replace_model(request)

    def _replace_model(self, request: Request) -> None:
        self._call_known("DeleteModel", {"ModelName": request["ModelName"]})
        try:
            self.call("CreateModel", request)
        except ClientError as error:
            # This very call may have made it, and its answer was lost.
            if not (_is_taken(error) and self._has_model(request)):
                raise refused(error) from error

    def _has_model(self, request: Request) -> bool:
        held = self._call_known("DescribeModel", {"ModelName": request["ModelName"]})
        return held is not None and _same_model(held, request)

    def describe(self, kind: JobKind, job: str) -> Request | None:
        """A job's description; None if SageMaker does not know it, or not yet."""
        return self._call_known(kind.operation("Describe"), {f"{kind.noun}Name": job})

    def stop(self, kind: JobKind, job: str) -> None:
        """Ask SageMaker to stop a job; one that has ended or is unknown is no error."""
        self._call_known(kind.operation("Stop"), {f"{kind.noun}Name": job})

    def _call_known(self, operation: str, request: Request) -> Request | None:
        """Call SageMaker; None if it does not know what the request names."""
        try:
            return self.call(operation, request)
        except ClientError as error:
            if error_code(error) in UNKNOWN:
                return None
            raise told(error) from error

    def call(self, operation: str, request: Request) -> Request:
        """Call SageMaker; waits and tries again while it is throttled or out of reach.

        Raises:
            ClientError: Any other refusal.
            SalescastError: It stayed throttled or out of reach.
        """
        method = getattr(self.client, xform_name(operation))
        for tried in count(1):
            try:
                answer: Request = method(**request)
                return answer
            except (ClientError, HTTPClientError, NoConnectionError) as error:
                if isinstance(error, ClientError) and error_code(error) not in _PASSING:
                    raise
                if tried == _TRIES:
                    raise told(error) from error
                pause = min(_LONGEST_PAUSE, self.poll_seconds * 2 ** (tried - 1))
                self.sleep(pause * random.uniform(0.5, 1.0))
        raise AssertionError("tries are counted without end")

    def _wait(
        self, kind: JobKind, job: str, title: str, log: JobLog, max_seconds: float | None
    ) -> tuple[Request, bool]:
        """Wait for the end of a job; returns its description, and whether it took too long."""
        unknown_since = time.monotonic()
        is_late = False
        while True:
            answer = self.describe(kind, job)
            if answer is None:
                if time.monotonic() - unknown_since > _UNKNOWN_SECONDS:
                    raise RunError(
                        f"{title}: SageMaker does not know the {kind.word} {job}, which it took "
                        f"{_UNKNOWN_SECONDS / 60:.0f} minutes ago.",
                        where=job,
                        fix=f"Look in the SageMaker console whether it was deleted; then {RESUME}.",
                    )
            else:
                unknown_since = time.monotonic()
                status = kind.status(answer)
                if status in _ENDED:
                    return answer, is_late
                age = (datetime.now(UTC) - answer["CreationTime"]).total_seconds()
                if max_seconds is not None and age > max_seconds and status == IN_PROGRESS:
                    is_late = True
                    self.stop(kind, job)
                log.read()
                told_by_log = f", {log.progress}" if log.progress else ""
                self.progress(
                    f"{title}: {job} is {answer.get('SecondaryStatus', status)}{told_by_log} "
                    f"({age / 60:.0f} min)"
                )
            self.sleep(self.poll_seconds * random.uniform(0.8, 1.2))

    @contextmanager
    def _interruptible(self, kind: JobKind, job: str) -> Iterator[None]:
        """At an interrupt, stop the job too if that is wanted, and tell how to go on."""
        try:
            yield
        except KeyboardInterrupt:
            if not self.stop_job(job):
                raise KeyboardInterrupt(
                    f"The {kind.word} {job} goes on; {RESUME} waits for it again."
                ) from None
            try:
                self.stop(kind, job)
                answer = self.describe(kind, job)
            except SalescastError as error:
                raise KeyboardInterrupt(
                    f"The {kind.word} {job} could not be stopped and goes on: {error}"
                ) from error
            if answer is None or kind.status(answer) == IN_PROGRESS:
                raise KeyboardInterrupt(
                    f"SageMaker was asked to stop the {kind.word} {job}, which could not be "
                    f"confirmed: look in its console; or {RESUME} finds the job again."
                ) from None
            raise KeyboardInterrupt(
                f"SageMaker stops the {kind.word} {job}; {RESUME} starts a new one."
            ) from None


def refused(error: ClientError) -> SalescastError:
    """An answer to a Create call that comes again until somebody changes something."""
    if is_unauthenticated(error):
        return told(error)
    message = f"{error_code(error)}: {error.response.get('Error', {}).get('Message', '')}"
    return UserError(
        f"SageMaker refuses {error.operation_name}: {message}",
        where="SageMaker",
        fix=fix_of(message)
        or f"Change the setting that it names (docs/sagemaker.md lists them); then {RESUME}.",
    )


def _other_at_work(kind: JobKind, job: str, differences: list[str]) -> UserError:
    return UserError(
        f"The {kind.word} {job} is still at work, but was asked for with another "
        f"{', '.join(differences)} than the settings have now.",
        where="SALESCAST_SAGEMAKER_IMAGE, models.toml",
        fix=f"Set back what was changed and wait for it with {RESUME}; or stop it (`aws sagemaker "
        f"{xform_name(kind.operation('stop'), '-')} --{xform_name(kind.noun, '-')}-name {job}`), "
        f"and {RESUME} starts a new one.",
    )


def _part(request: Request, path: tuple[str, ...]) -> Any:
    """What stands at a path; None for what is not there or empty, which AWS leaves out."""
    value: Any = request
    for name in path:
        value = value.get(name, {})
    return value or None


def _is_taken(error: ClientError) -> bool:
    """Whether CreateModel met a model of its name."""
    return "existing model" in str(error)


def _same_model(held: Request, request: Request) -> bool:
    """Whether a model that is there is the one that is asked for."""
    container = {name: held["PrimaryContainer"].get(name) for name in request["PrimaryContainer"]}
    return (
        container == request["PrimaryContainer"]
        and held["ExecutionRoleArn"] == request["ExecutionRoleArn"]
        and (held.get("VpcConfig") or None) == request.get("VpcConfig")
        and bool(held.get("EnableNetworkIsolation")) == request["EnableNetworkIsolation"]
    )


def _reason(kind: JobKind, answer: Request, is_late: bool) -> str:
    if is_late:
        return (
            "stopped by this command, it was older than SALESCAST_SAGEMAKER_TRANSFORM_MAX_SECONDS"
        )
    given = str(answer.get("FailureReason", "")).strip()
    secondary = str(answer.get("SecondaryStatus", ""))
    if secondary.endswith("Exceeded"):
        return f"{secondary} {given}".strip()
    return given or ("somebody stopped it" if kind.status(answer) == STOPPED else "no reason given")
