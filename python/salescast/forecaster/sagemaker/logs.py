"""What a job writes to CloudWatch, read while it works and when it fails."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

_EPOCH = re.compile(r"#quality_metric: host=\S+, epoch=(\d+), train loss <loss>=(\S+)")
# Told by the local SageMaker, whose transform is the program itself; AWS's own logs tell no count.
_TRANSFORMED = re.compile(r"^transform: (\d+)/(\d+) series")
_PAGES_AT_ONCE = 20
_KEPT = 400


@dataclass
class JobLog:
    """The log of one job: its newest lines, and how far it says it is.

    Never in the way: where the log cannot be read, there are no lines; where CloudWatch is out of
    reach, as from a subnet without its endpoint, it is not asked again.

    Args:
        client: A client of boto3 for CloudWatch Logs.
        group: As `/aws/sagemaker/TrainingJobs`.
        job_name: Name of the job, with which its streams begin.
        epochs: How many a training has.
    """

    client: Any = field(repr=False)
    group: str
    job_name: str
    epochs: str | None = None
    lines: list[str] = field(default_factory=list)
    progress: str = ""
    _tokens: dict[str, str] = field(default_factory=dict)
    _is_out_of_reach: bool = False

    def read(self) -> None:
        """Take in what was written since the last call."""
        if self._is_out_of_reach:
            return
        try:
            for stream in self._streams():
                self._read(stream)
        except ClientError as error:
            # The job has no log yet, or the caller has no right to read it.
            logger.debug("log of %s: %s", self.job_name, error)
        except BotoCoreError as error:
            self._is_out_of_reach = True
            logger.debug("log of %s is not read any more: %s", self.job_name, error)
        del self.lines[:-_KEPT]

    def tail(self, n: int) -> list[str]:
        """The last lines that hold something."""
        return [line for line in self.lines if line.strip()][-n:]

    def _streams(self) -> Iterator[str]:
        of_page: dict[str, str] = {}
        while True:
            answer = self.client.describe_log_streams(
                logGroupName=self.group, logStreamNamePrefix=f"{self.job_name}/", **of_page
            )
            for each in answer["logStreams"]:
                yield each["logStreamName"]
            if "nextToken" not in answer:
                return
            of_page = {"nextToken": answer["nextToken"]}

    def _read(self, stream: str) -> None:
        for _ in range(_PAGES_AT_ONCE):
            token = self._tokens.get(stream)
            answer = self.client.get_log_events(
                logGroupName=self.group,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            self._tokens[stream] = answer["nextForwardToken"]
            if not answer["events"]:
                return
            for event in answer["events"]:
                self._take(event["message"].rstrip("\n"))

    def _take(self, line: str) -> None:
        self.lines.append(line)
        if found := _EPOCH.search(line):
            of_all = f"/{self.epochs}" if self.epochs else ""
            self.progress = f"epoch {int(found[1]) + 1}{of_all}, loss {float(found[2]):.4g}"
        elif found := _TRANSFORMED.search(line):
            self.progress = f"{found[1]}/{found[2]} series"
