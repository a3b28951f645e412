"""Where the batches of a home and their runs stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from salescast.errors import SalescastError
from salescast.recipes import steps_of
from salescast.week.batch import BatchRecord, RunRecord, batch_folders, read_record


@dataclass(frozen=True)
class RunStatus:
    """A run and the step that it waits for; None if it has landed."""

    run: RunRecord
    next_step: str | None


@dataclass(frozen=True)
class BatchStatus:
    """A batch, its runs, and the error of its newest attempt at a step; None if that worked."""

    record: BatchRecord
    runs: Sequence[RunStatus]
    last_error: str | None


@dataclass(frozen=True)
class HomeStatus:
    """The batches of a home, the newest first, and what is wrong with those that are left out."""

    batches: Sequence[BatchStatus]
    unreadable: Sequence[SalescastError] = ()


def read_status(batches: Path, last: int) -> HomeStatus:
    """Where the last batches stand.

    Args:
        batches: Folder of the home's batches.
        last: The most to read.
    """
    found: list[BatchStatus] = []
    unreadable: list[SalescastError] = []
    for folder in reversed(batch_folders(batches)[-last:]):
        try:
            record = read_record(folder)
        except SalescastError as error:
            unreadable.append(error)
            continue
        runs = [RunStatus(run, _next_step(record, run)) for run in record.runs]
        found.append(BatchStatus(record, runs, _last_error(record)))
    return HomeStatus(found, unreadable)


def _next_step(record: BatchRecord, run: RunRecord) -> str | None:
    """The first step of a run that is not finished."""
    waiting = (name for name in steps_of(run) if f"{run.run_id}/{name}" not in record.finished)
    return next(waiting, None)


def _last_error(record: BatchRecord) -> str | None:
    last = record.attempts[-1] if record.attempts else None
    return f"{last.step}: {last.detail}" if last and last.status == "failed" else None
