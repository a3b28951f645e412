"""What jobs run on: S3, logs, a work folder, one program at a time."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.sagemaker import program
from local_aws.sagemaker.errors import JobFailed
from local_aws.sagemaker.joblog import JobLog
from local_aws.sagemaker.jobs import Job
from salescast.container.paths import ContainerPaths

INTERNAL_ERROR = "InternalServerError: We encountered an internal error. Please try again."
CAPACITY_ERROR = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a "
    "different ML instance type or try again later"
)
_WAIT_SECONDS = 0.1


@dataclass(frozen=True)
class Machine:
    """The one machine behind all instance types."""

    s3: Any
    logs: Any
    work: Path
    command: Sequence[str] = program.COMMAND
    # The program takes all cores by itself.
    _free: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def held(self, wait: Callable[[float], None]) -> Iterator[None]:
        """Have the machine to oneself; `wait` is called until it is free, and may raise."""
        while not self._free.acquire(blocking=False):
            wait(_WAIT_SECONDS)
        try:
            yield
        finally:
            self._free.release()

    @contextmanager
    def tree(self, job: Job) -> Iterator[ContainerPaths]:
        """An empty tree like /opt/ml, gone after the block."""
        root = self.work / job.kind / job.name
        shutil.rmtree(root, ignore_errors=True)
        paths = ContainerPaths(root)
        for folder in (paths.hyperparameters.parent, paths.model, paths.failure.parent):
            folder.mkdir(parents=True)
        try:
            yield paths
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def run(
        self,
        arguments: Sequence[str],
        paths: ContainerPaths,
        log: JobLog,
        *,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        on_tick: Callable[[], None],
    ) -> None:
        """Run the program on a tree; its lines go to the log too.

        Raises:
            JobFailed: It failed; with its own reason, or its exit status.
        """

        def line(text: str) -> None:
            log.add(text)
            on_line(text)

        def tick() -> None:
            log.flush()
            on_tick()

        paths.failure.unlink(missing_ok=True)
        try:
            status = program.run(
                [*self.command, *arguments],
                environment={**environment, "SAGEMAKER_BASE_DIR": str(paths.root)},
                on_line=line,
                on_tick=tick,
            )
        finally:
            log.flush(now=True)
        if status == 0:
            return
        reason = paths.failure.read_text(encoding="utf-8") if paths.failure.is_file() else ""
        raise JobFailed(reason.strip() or f"AlgorithmError: , exit code: {status}")
