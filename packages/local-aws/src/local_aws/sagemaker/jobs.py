"""What the server holds: jobs with their statuses, models, and the tags of both."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from local_aws.sagemaker.errors import JobFailed, JobStopped

Kind = Literal["training-job", "transform-job", "model"]
FINAL = frozenset({"Completed", "Failed", "Stopped"})
_REASON_LENGTH = 1024
_log = logging.getLogger(__name__)


def now() -> float:
    """Epoch seconds, cut to milliseconds: a client that rounds a time never gets a later one."""
    return time.time_ns() // 10**6 / 1000


@dataclass(frozen=True)
class Model:
    """One model: the request that made it."""

    name: str
    arn: str
    request: Mapping[str, Any]
    created: float = field(default_factory=now)


@dataclass
class Job:
    """One training or transform job; safe to use from several threads. Times are epoch seconds."""

    kind: Kind
    name: str
    arn: str
    request: Mapping[str, Any]
    fault: str | None
    """What becomes of it because a test asked for it."""
    created: float = field(default_factory=now)
    status: str = "InProgress"
    failure_reason: str | None = None
    started: float | None = None
    ended: float | None = None
    modified: float = field(default_factory=now)
    transitions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Value and time of each metric, the last one that was seen."""
    artifact: str | None = None
    billable_seconds: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def enter(self, secondary: str, message: str) -> None:
        """Go on to a secondary status; none follows the request to stop but the last one."""
        with self._lock:
            if self.status == "InProgress":
                self._transit(secondary, message)

    def begin(self) -> None:
        """Note that it is on its machine; the first time counts."""
        with self._lock:
            self.started = self.started or now()

    def stop(self) -> bool:
        """Ask it to stop; False if it has ended."""
        with self._lock:
            if self.status in FINAL:
                return False
            if self.status == "InProgress":
                self.status = "Stopping"
                self._transit("Stopping", "Stopping the job")
                self.stopping.set()
            return True

    def complete(self, artifact: str | None) -> None:
        """End well, with what it made, unless it was asked to stop meanwhile."""
        with self._lock:
            if self.status == "Stopping":
                self._end("Stopped", "Stopped", "Job stopped")
            else:
                self.artifact = artifact
                self._end("Completed", "Completed", "Job completed")

    def fail(self, reason: str) -> None:
        """End with a reason, cut as AWS cuts it."""
        with self._lock:
            self.failure_reason = reason[:_REASON_LENGTH]
            self._end("Failed", "Failed", self.failure_reason)

    def stopped(self, end: JobStopped) -> None:
        """End because it was stopped."""
        with self._lock:
            self._end("Stopped", end.secondary, end.message)

    def check(self) -> None:
        """Raise JobStopped if it was asked to stop."""
        if self.stopping.is_set():
            raise JobStopped("Stopped", "Job stopped")

    def pause(self, seconds: float) -> None:
        """Wait; raises JobStopped as soon as it is asked to stop."""
        self.stopping.wait(seconds)
        self.check()

    def seen(self) -> dict[str, Any]:
        """A copy of what Describe tells, taken at one moment."""
        with self._lock:
            return {
                "status": self.status,
                "failure_reason": self.failure_reason,
                "started": self.started,
                "ended": self.ended,
                "modified": self.modified,
                "transitions": [dict(each) for each in self.transitions],
                "metrics": dict(self.metrics),
                "artifact": self.artifact,
                "billable_seconds": self.billable_seconds,
            }

    def note_metric(self, name: str, value: float) -> None:
        """Keep the last value of a metric."""
        with self._lock:
            self.metrics[name] = (value, now())

    def _end(self, status: str, secondary: str, message: str) -> None:
        self.status = status
        self.ended = now()
        self._transit(secondary, message)

    def _transit(self, secondary: str, message: str) -> None:
        moment = now()
        if self.transitions:
            self.transitions[-1].setdefault("EndTime", moment)
        entry: dict[str, Any] = {"Status": secondary, "StartTime": moment, "StatusMessage": message}
        if self.status in FINAL:
            entry["EndTime"] = moment
        self.transitions.append(entry)
        self.modified = moment


def to_its_end(job: Job, work: Callable[[], str | None]) -> None:
    """Do a job's work, which may return the URI of an artifact, and note how it ended."""
    try:
        artifact = work()
    except JobStopped as end:
        job.stopped(end)
    except JobFailed as failure:
        job.fail(str(failure))
    except Exception as error:
        _log.exception("%s", job.name)
        job.fail(f"InternalServerError: {type(error).__name__}: {error}")
    else:
        job.complete(artifact)


class Holdings:
    """All jobs and models of a server, oldest first, with their tags."""

    def __init__(self, region: str, account: str) -> None:
        """Start with none."""
        self._arn = f"arn:aws:sagemaker:{region}:{account}"
        self.lock = threading.RLock()
        self.jobs: dict[tuple[Kind, str], Job] = {}
        self.models: dict[str, Model] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def arn(self, kind: Kind, name: str) -> str:
        """The resource name of a job or model."""
        return f"{self._arn}:{kind}/{name}"
