"""The record of a batch: what was asked, which steps are finished, where a resume begins."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from salescast import __version__, disk
from salescast.errors import UserError
from salescast.files import whole_file
from salescast.forecaster import JobUsage
from salescast.lake import Lake, utc_naive

RECORD = "batch.json"
"""Name of a batch's record in its folder."""

RUN_ID_LENGTH = 40
MAX_DETAIL = 2000


class CutoffRequest(BaseModel):
    """One cutoff as the command asked for it; no date means the newest complete week."""

    cutoff_date: date | None
    weeks_back: int
    kind: Literal["forecast", "backtest"]


class StepRecord(BaseModel):
    """One attempt at a step that came to an end; `jobs` are the billed ones that ended in it."""

    run_id: str | None
    step: str
    status: Literal["done", "failed"]
    started_at: datetime
    finished_at: datetime
    seconds: float
    detail: str
    jobs: list[JobUsage] = []


_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""An id names a folder."""


class RunRecord(BaseModel):
    """One model at one cutoff.

    `data_hash` tells the landed data that the run's exports were made from, `newest_week_end_date`
    the newest complete week of them; None in records of before it was kept.
    """

    run_id: _Id
    model_id: str
    recipe: str
    kind: Literal["forecast", "backtest"]
    cutoff_date: date
    prediction_length: int
    trained_model_id: str | None = None
    data_hash: str | None = None
    newest_week_end_date: date | None = None


class BatchRecord(BaseModel):
    """All that a later process needs to go on with a batch.

    `finished` holds the steps that need not be done again, `attempts` everything that ended.
    `forecaster` is where the jobs of its models run; None if they have none, and in records of
    before it was kept. `learned_from` are models to run at weeks back from the newest cutoff where
    nothing was asked for, for others to learn from; `trained_once` are those of them that train at
    the first such cutoff and forecast the later ones by the same trained model.
    """

    batch_id: _Id
    command: str
    arguments: dict[str, Any]
    created_at: datetime
    status: Literal["unfinished", "done"] = "unfinished"
    requests: list[CutoffRequest]
    prediction_length: int
    models: list[str]
    learned_from: dict[int, list[str]] = {}
    trained_once: list[str] = []
    forecaster: str | None = None
    trained_model_id: str | None = None
    request_id: str | None = None
    data_hash: str | None = None
    runs: list[RunRecord] = []
    finished: list[str] = []
    attempts: list[StepRecord] = []

    def vintages(self, newest: date) -> dict[date, list[str]]:
        """Cutoffs that nobody asked for, with the models to run there, by the newest cutoff."""
        return {
            newest - timedelta(weeks=weeks): models for weeks, models in self.learned_from.items()
        }

    def asked_cutoffs(self) -> list[date]:
        """Cutoffs of the runs, without those of vintages."""
        cutoffs = {run.cutoff_date for run in self.runs}
        return sorted(cutoffs - self.vintages(max(cutoffs)).keys()) if cutoffs else []

    def lender(self, run: RunRecord) -> RunRecord | None:
        """The run of an earlier vintage whose trained model this one uses; None if it trains."""
        of_model = {each.cutoff_date: each for each in self.runs if each.model_id == run.model_id}
        newest = max(each.cutoff_date for each in self.runs)
        first = self.lending_cutoff(run.model_id, run.cutoff_date, of_model, newest)
        return None if first is None else of_model[first]

    def lending_cutoff(
        self, model_id: str, cutoff: date, cutoffs: Iterable[date], newest: date
    ) -> date | None:
        """Where the trained model is trained that a model's run uses; None if the run trains.

        Args:
            model_id: The model.
            cutoff: The run's cutoff.
            cutoffs: Cutoffs of all runs of this model.
            newest: The newest cutoff of the batch.
        """
        vintages = self.vintages(newest).keys() & set(cutoffs)
        if model_id not in self.trained_once or cutoff not in vintages:
            return None
        first = min(vintages)
        return first if first < cutoff else None

    def models_at(self, cutoff: date, newest: date) -> list[str]:
        """The models to run at a cutoff, each after those that it needs."""
        vintages = self.vintages(newest)
        return [name for name in self.models if name in vintages.get(cutoff, self.models)]


class Batch:
    """A batch record in its folder, with the lake that its finished steps are told to."""

    def __init__(
        self,
        record: BatchRecord,
        folder: Path,
        lake: Lake,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Hold a record; `say` is told each finished step."""
        self.record = record
        self.folder = folder
        self._lake = lake
        self._say = say

    def tell(self, text: str) -> None:
        """Say a line to who watches the batch."""
        self._say(text)

    def work(self, run: RunRecord) -> Path:
        """Folder of a run's exports, logs and outputs."""
        return self.folder / run.run_id

    def is_done(self, step: str, run: RunRecord | None = None) -> bool:
        """Whether a step is finished."""
        return _key(step, run) in self.record.finished

    def forget(self, *steps: str, run: RunRecord | None = None) -> None:
        """Make finished steps of a run, or of the batch itself, pending again."""
        keys = {_key(step, run) for step in steps}
        self.record.finished = [key for key in self.record.finished if key not in keys]
        self.save()

    def do(
        self,
        step: str,
        action: Callable[[], str],
        run: RunRecord | None = None,
        *,
        used: Callable[[], Sequence[JobUsage]] = tuple,
    ) -> None:
        """Do a step unless it is finished, and record how it ended.

        Args:
            step: Name of the step.
            action: Does the work, and can be done again; returns one line on what it did.
            run: The run that the step belongs to; None for a step of the batch.
            used: What billed jobs took; those that no earlier step told are this one's.
        """
        if self.is_done(step, run):
            return
        started = datetime.now(UTC)
        try:
            detail = action()
        except Exception as error:
            try:
                self._end(step, run, "failed", started, str(error)[:MAX_DETAIL], used())
            except Exception as second:
                # On a full disk the record cannot be kept either: the first error tells what to do.
                if not (isinstance(second, disk.DiskError) or disk.told(second, self.folder)):
                    raise
            raise
        self.record.finished.append(_key(step, run))
        self._end(step, run, "done", started, detail, used())

    def finish(self) -> None:
        """Close the batch: nothing is left to resume."""
        self.record.status = "done"
        self.save()

    def save(self) -> None:
        """Write the record in one rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder / RECORD) as part:
            part.write_text(self.record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def land_steps(self) -> None:
        """Land the attempts that the lake does not have yet, one file each."""
        landed = set(self._lake.names("run_steps"))
        for n, attempt in enumerate(self.record.attempts, start=1):
            name = f"{self.record.batch_id}-{n:04d}"
            if name not in landed:
                row = {
                    **attempt.model_dump(exclude={"jobs"}),
                    **_billed(attempt.jobs),
                    "batch_id": self.record.batch_id,
                    "started_at": utc_naive(attempt.started_at),
                    "finished_at": utc_naive(attempt.finished_at),
                }
                self._lake.append("run_steps", [row], name=name)

    def _end(
        self,
        step: str,
        run: RunRecord | None,
        status: Literal["done", "failed"],
        started: datetime,
        detail: str,
        used: Sequence[JobUsage],
    ) -> None:
        finished = datetime.now(UTC)
        told = {job.job_name for attempt in self.record.attempts for job in attempt.jobs}
        jobs = [job for job in used if job.job_name not in told]
        if status == "done" and jobs:
            detail = "; ".join((detail, *map(str, jobs)))
        seconds = round((finished - started).total_seconds(), 3)
        self.record.attempts.append(
            StepRecord(
                run_id=run.run_id if run else None,
                step=step,
                status=status,
                started_at=started,
                finished_at=finished,
                seconds=seconds,
                detail=detail,
                jobs=jobs,
            )
        )
        # The record first: what it does not tell would be done again under the same name.
        self.save()
        self.land_steps()
        if status == "done":
            of_run = f" {run.model_id} at {run.cutoff_date}" if run else ""
            self._say(f"{step}{of_run}: {detail} ({seconds:.1f} s)")


def new_batch_id() -> str:
    """An id that sorts by time: `YYYYMMDDtHHMMSS-xxxx`, in UTC."""
    return f"{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"


def run_id_of(batch_id: str, number: int, model_id: str) -> str:
    """The id of a batch's n-th run: letters, digits and hyphens, 40 at most."""
    return f"{batch_id}-{number}-{model_id.replace('_', '-')}"[:RUN_ID_LENGTH].rstrip("-")


def code_version(project: Path) -> str:
    """Version of the program, with the commit of the project where git knows it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An environment may lie in the folder of a repository that is not the project's.
        git("ls-files", "--error-unmatch", "dbt_project.yml")
        commit = git("describe", "--always", "--dirty")
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+{commit}"


def read_record(folder: Path) -> BatchRecord:
    """The record in a batch's folder.

    Raises:
        UserError: It cannot be read, or is not whole.
    """
    path = folder / RECORD
    try:
        return BatchRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        if (refused := disk.told(error, path)) is not None:
            raise refused from error
        reason = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
        raise UserError(
            f"The record of batch {folder.name} cannot be read: {reason}.",
            where=str(path),
            fix=f"Put the file back from a copy, or remove the folder {folder.name}: what the "
            "batch has landed stays in the lake. A new batch is started with `salescast run`.",
        ) from error


def batch_folders(batches: Path) -> list[Path]:
    """Folders of all batches, oldest first."""
    if not batches.exists():
        return []
    return sorted(path for path in batches.iterdir() if (path / RECORD).exists())


def newest_folder(batches: Path) -> Path:
    """Folder of the newest batch.

    Raises:
        UserError: There is none.
    """
    folders = batch_folders(batches)
    if not folders:
        raise UserError(
            "There is no batch in this home yet.",
            where=str(batches),
            fix="Start one with `salescast run`.",
        )
    return folders[-1]


def find_folder(batches: Path, batch_id: str) -> Path:
    """Folder of a batch by its id.

    Raises:
        UserError: There is none; names the newest ones.
    """
    folder = batches / batch_id
    if folder not in batch_folders(batches):
        newest = ", ".join(path.name for path in batch_folders(batches)[-5:]) or "none"
        raise UserError(
            f"There is no batch {batch_id}.",
            where=str(batches),
            fix=f"The newest ones: {newest}.",
        )
    return folder


def _billed(jobs: Sequence[JobUsage]) -> dict[str, Any]:
    """The columns of run_steps on billed jobs; a step that took several attempts names the last."""
    if not jobs:
        return {}
    costs = [job.cost_usd for job in jobs if job.cost_usd is not None]
    return {
        "job_name": jobs[-1].job_name,
        "instance_type": jobs[-1].instance_type,
        "instance_count": jobs[-1].instance_count,
        # Of each machine, as the attempts may have had different numbers of them.
        "billable_seconds": sum(job.instance_count * job.billable_seconds for job in jobs),
        # A sum without some of the jobs would tell too little.
        "cost_usd": sum(costs) if len(costs) == len(jobs) else None,
    }


def _key(step: str, run: RunRecord | None) -> str:
    return f"{run.run_id}/{step}" if run else step
