"""A job's log in CloudWatch Logs, readable while the job runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_FLUSH_SECONDS = 0.5
_EVENTS = 1000
_log = logging.getLogger(__name__)


class JobLog:
    """One stream; lines are sent in bundles."""

    def __init__(self, client: Any, group: str, job_name: str) -> None:
        """Make the stream `<job>/algo-1-<epoch>`, and its group, unless they are there.

        A name that was freed and is used again within a second goes on in its stream.

        Args:
            client: boto3's of the service `logs`.
            group: /aws/sagemaker/TrainingJobs or /aws/sagemaker/TransformJobs.
            job_name: Name of the job.
        """
        self._client = client
        self._where = {
            "logGroupName": group,
            "logStreamName": f"{job_name}/algo-1-{int(time.time())}",
        }
        self._waiting: list[dict[str, Any]] = []
        self._sent = time.monotonic()
        self._make(client.create_log_group, logGroupName=group)
        self._make(client.create_log_stream, **self._where)

    def add(self, line: str) -> None:
        """Keep a line; an empty one is no event."""
        if line:
            self._waiting.append({"timestamp": time.time_ns() // 10**6, "message": line})

    def flush(self, *, now: bool = False) -> None:
        """Send what waits, if some time has gone by since the last bundle or at once."""
        if not self._waiting or (not now and time.monotonic() - self._sent < _FLUSH_SECONDS):
            return
        bundle, self._waiting = self._waiting, []
        self._sent = time.monotonic()
        for start in range(0, len(bundle), _EVENTS):
            with self._guarded():
                self._client.put_log_events(
                    **self._where, logEvents=bundle[start : start + _EVENTS]
                )

    def _make(self, create: Callable[..., object], **names: str) -> None:
        with self._guarded(), suppress(self._client.exceptions.ResourceAlreadyExistsException):
            create(**names)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """A job goes on without its log, on AWS too."""
        try:
            yield
        except (BotoCoreError, ClientError):
            _log.exception("the log of %s", self._where["logStreamName"])
