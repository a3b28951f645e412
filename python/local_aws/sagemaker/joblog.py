"""A job's log in CloudWatch Logs, readable while the job runs."""

from __future__ import annotations

import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_FLUSH_SECONDS = 0.5
_EVENTS = 1000
_log = logging.getLogger(__name__)


class JobLog:
    """One stream; lines are sent in bundles."""

    def __init__(self, client: Any, group: str, job_name: str) -> None:
        """Make the stream `<job>/algo-1-<epoch>`, and its group if need be.

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
        try:
            client.create_log_group(logGroupName=group)
        except client.exceptions.ResourceAlreadyExistsException:
            _log.debug("the log group %s is there", group)
        client.create_log_stream(**self._where)

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
            try:
                self._client.put_log_events(
                    **self._where, logEvents=bundle[start : start + _EVENTS]
                )
            except (BotoCoreError, ClientError):
                # A job goes on without its log, on AWS too.
                _log.exception("the log of %s", self._where["logStreamName"])
