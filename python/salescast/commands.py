"""What the commands do: functions of settings and options that return what came of it.

Whoever calls them, a terminal, an event or a web page, parses its own options and tells the result
in its own way. A function that writes holds the locks itself. Heavy modules are imported where they
are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from salescast.errors import UserError
from salescast.progress import SILENT, CommandProgress

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from salescast.ingest import IngestResult
    from salescast.lake import Lake
    from salescast.mapping_draft import Draft
    from salescast.marts.reader import Accuracy, Rerun
    from salescast.prune import Removal
    from salescast.settings import Settings
    from salescast.status import HomeStatus
    from salescast.warehouse import BuildResult
    from salescast.week.batch import Batch, BatchRecord, StepRecord
    from salescast.week.champion import Champion
    from salescast.week.estimate import Estimate
    from salescast.week.plan import Asked

Selector = Literal["pre_predict", "post_predict"]
Step = Literal["export", "train", "predict", "load"]


@dataclass(frozen=True)
class Retraction:
    """Loads that were taken back.

    Attributes:
        loads: Their ids.
        runs: Runs that landed while they counted and are not withdrawn, newest first.
    """

    loads: Sequence[str]
    runs: Sequence[str]


@dataclass(frozen=True)
class BatchResult:
    """A batch that is finished.

    Attributes:
        record: Its record.
        carried_out: Whether something was left to do; if not, nothing was read from the marts.
        accuracy: Accuracy at the cutoffs that were asked for, of all models, the champion first.
        rejected: Reasons for which landed rows are set aside, with their number.
        reruns: Its live runs that are not the record of their cutoff.
    """

    record: BatchRecord
    carried_out: bool
    accuracy: Sequence[Accuracy] = ()
    rejected: Sequence[tuple[str, int]] = ()
    reruns: Sequence[Rerun] = ()


@dataclass(frozen=True)
class StepResult:
    """A single step of a batch; `done` are the attempts of the runs that waited for it."""

    record: BatchRecord
    done: Sequence[StepRecord]


@dataclass(frozen=True)
class Checked:
    """What an ingest would land, judged by the staging models; nothing is landed.

    Attributes:
        result: What the delivery holds, and what it would do to landed sales.
        statuses: Lake table, what becomes of its rows, why, how many, and an example; none if the
            files hold no sales.
        months: Store, month, rows and sum of sales of the rows that would count.
        problem: What a build would stop at; None if it would not.
    """

    result: IngestResult
    statuses: Sequence[tuple[str, str, str | None, int, str | None]]
    months: Sequence[tuple[str, date, int, float]]
    problem: str | None


@dataclass(frozen=True)
class Built:
    """A build, and the place where its marts were published; None if it made none."""

    result: BuildResult
    published: Path | None


def draft_mapping(
    settings: Settings,
    paths: Sequence[Path],
    out: Path | None = None,
    *,
    force: bool = False,
    progress: CommandProgress = SILENT,
) -> Draft:
    """Look at files and write a mapping for them; nothing is landed.

    Args:
        settings: The settings.
        paths: Files of one source, or its folder.
        out: File to write; None to write none.
        force: Whether `out` may be there already.
        progress: Told how it goes on.

    Raises:
        UserError: No file can be read, or none has dates and numbers; or `out` is there.
    """
    from salescast import disk
    from salescast.files import whole_file
    from salescast.mapping_draft import draft_mapping as draft

    if out is not None and out.exists() and not force:
        raise UserError(
            "the file is there already",
            where=str(out),
            fix="give another name, or --force to write over it",
        )
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError("there is no such folder", where=str(out.absolute().parent))
    drafted = draft(
        paths,
        name=None if out is None else out.name.split(".")[0],
        memory_limit=settings.memory_limit,
        threads=settings.threads,
        on_progress=progress.update,
    )
    if out is not None:
        try:
            with whole_file(out, shared=True) as part:
                part.write_text(drafted.text, encoding="utf-8")
        except OSError as error:
            if (refused := disk.told(error, out)) is not None:
                raise refused from error
            raise UserError(f"cannot be written: {error.strerror}", where=str(out)) from error
    return drafted


def ingest(
    settings: Settings,
    source: Path,
    mapping_name: str = "retail",
    *,
    yes: bool = False,
    take_lock: bool = False,
    progress: CommandProgress = SILENT,
) -> IngestResult:
    """Land the files of a folder, or one file, as a mapping describes them.

    Args:
        settings: The settings.
        source: The folder or file.
        mapping_name: Name in `mappings/`, or a path.
        yes: Whether questions about the delivery are answered with yes.
        take_lock: Break the lock that another home holds on a lake on S3.
        progress: Told what the delivery holds and does, and asked about it.

    Raises:
        UserError: The mapping or a file is not as it should be, or a question was not answered with
            yes; nothing is landed.
        RunError: Another command holds a lock.
    """
    from salescast.ingest import ingest as land
    from salescast.ingest import land_without_question, told
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.mapping import load_mapping

    def decide(result: IngestResult) -> bool:
        for line in told(result):
            progress.say(line)
        for warning in result.warnings:
            progress.say(f"warning: {warning}")
        if yes or not result.questions:
            return True
        asked = "\n".join(result.questions)
        return progress.confirm(f"{asked}\nLand it?") or land_without_question(result)

    mapping = load_mapping(mapping_name, settings.project / "mappings")
    lake = open_lake(settings)
    command = f"salescast ingest {source}"
    with hold_locks(settings, command, take=take_lock), _telling_what_landed(lake):
        result = land(
            source,
            mapping,
            lake,
            decide=decide,
            on_progress=progress.update,
            memory_limit=settings.memory_limit,
            threads=settings.threads,
        )
        for load in result.loads:
            progress.say(
                f"landed {load.source_file} in {load.table_name}: {load.n_rows:,} rows, "
                f"load {load.load_id}"
            )
        for skipped in result.skipped:
            progress.say(f"skipped {skipped.source_file}: landed before as {skipped.load_id}")
        for name in result.unmatched:
            progress.say(f"left {name}: no table of the mapping {mapping.name} asks for it")
    return result


def check(
    settings: Settings,
    source: Path,
    mapping_name: str = "retail",
    *,
    progress: CommandProgress = SILENT,
) -> Checked:
    """Do all of an ingest but land: figures, questions, and the staging models on its rows alone.

    Args:
        settings: The settings.
        source: The folder or file.
        mapping_name: Name in `mappings/`, or a path.
        progress: Told how it goes on.

    Raises:
        UserError: The mapping or a file is not as it should be.
        RunError: Another command holds a lock.
    """
    import tempfile
    from pathlib import Path

    from salescast.errors import RunError
    from salescast.ingest import ingest as read
    from salescast.ingest import told
    from salescast.lake import Lake, open_lake
    from salescast.lake.lock import hold_locks
    from salescast.mapping import load_mapping
    from salescast.warehouse.duckdb import DuckDBWarehouse

    mapping = load_mapping(mapping_name, settings.project / "mappings")
    land = partial(read, memory_limit=settings.memory_limit, threads=settings.threads)
    with hold_locks(settings, f"salescast ingest --check {source}"):
        result = land(
            source,
            mapping,
            open_lake(settings),
            decide=lambda _: False,
            on_progress=progress.update,
        )
        for line in told(result):
            progress.say(line)
        tables = {each.table_name for each in result.figures}
        tables |= {each.table_name for each in result.skipped}
        if "raw_sales" not in tables:
            progress.say("there are no sales among the files: a build judges their rows")
            return Checked(result, (), (), None)
        settings.spill.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="check-", dir=settings.spill) as folder:
            home = Path(folder)
            own = settings.model_copy(
                update={"home": home, "target": "dev", "lake_place": str(home / "lake")}
            )
            land(source, mapping, Lake(own.lake, own.spill), decide=lambda _: True)
            warehouse = DuckDBWarehouse(own, progress.update)
            problem = None
            try:
                warehouse.build("staging")
            except RunError as error:
                problem = str(error)
            statuses, months = warehouse.judged()
    return Checked(result, statuses, months, problem)


@contextmanager
def _telling_what_landed(lake: Lake) -> Iterator[None]:
    """Have an interrupt say so where it came after the delivery had landed."""
    from salescast.lake import sortable_id

    begun = sortable_id(datetime.now(UTC))
    try:
        yield
    except KeyboardInterrupt as error:
        # Ids of deliveries sort by time, and nobody else lands while the lock is held.
        if lake.names("raw_loads")[-1:] < [begun]:
            raise
        raise KeyboardInterrupt(
            "The delivery had landed already: nothing is left to do."
        ) from error


def retract(
    settings: Settings, load_id: str, reason: str | None = None, *, take_lock: bool = False
) -> Retraction:
    """Take back a load or a whole delivery; the rows stay in the lake.

    Raises:
        UserError: There is no such load or delivery, or it is retracted already.
        RunError: Another command holds a lock.
    """
    from salescast.lake import open_lake
    from salescast.lake.loads import retract as take_back
    from salescast.lake.loads import runs_made_with
    from salescast.lake.lock import hold_locks

    with hold_locks(settings, f"salescast ingest --retract {load_id}", take=take_lock):
        lake = open_lake(settings)
        loads = take_back(load_id, lake, reason or "retracted by hand")
        return Retraction(loads, runs_made_with(loads, lake))


def estimate(settings: Settings, asked: Asked) -> Estimate:
    """Tell what a batch would start, send and cost; needs no lock and writes nothing.

    Raises:
        UserError: `start` would refuse it.
    """
    from salescast.week.estimate import estimate_batch

    return estimate_batch(settings, asked)


def start(
    settings: Settings,
    asked: Asked,
    *,
    take_lock: bool = False,
    stop_jobs: bool | None = None,
    progress: CommandProgress = SILENT,
) -> BatchResult:
    """Start a batch and carry it out.

    Args:
        settings: The settings.
        asked: The options of `run` or `backtest`.
        take_lock: Break the lock that another home holds on a lake on S3.
        stop_jobs: Whether an interrupt stops a job on SageMaker too; None to ask `progress`.
        progress: Told each step.

    Raises:
        UserError: The batch cannot work; nothing is started.
        SalescastError: A step failed, or another command holds a lock; `resume` goes on with it.
    """
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.warehouse import open_warehouse
    from salescast.week.batch import Batch
    from salescast.week.plan import check_ready, plan_batch

    with hold_locks(settings, f"salescast {asked.command}", take=take_lock):
        lake = open_lake(settings)
        new = plan_batch(settings, lake, open_warehouse(settings).landed(), asked)
        check_ready(settings, new)
        batch = Batch(new.record, settings.batches / new.record.batch_id, lake, progress.say)
        batch.save()
        _carry_out(settings, batch, stop_jobs, progress)
    return _result(settings, batch.record)


def resume(
    settings: Settings,
    batch_id: str | None = None,
    *,
    take_lock: bool = False,
    stop_jobs: bool | None = None,
    progress: CommandProgress = SILENT,
) -> BatchResult:
    """Go on with a batch where it stopped; a finished one is left alone.

    Args:
        settings: The settings.
        batch_id: The batch; None for the newest.
        take_lock: Break the lock that another home holds on a lake on S3.
        stop_jobs: Whether an interrupt stops a job on SageMaker too; None to ask `progress`.
        progress: Told each step.

    Raises:
        UserError: There is no such batch, or it was begun with another forecaster.
        SalescastError: A step failed, or another command holds a lock.
    """
    from salescast.lake.lock import hold_locks
    from salescast.week.batch import read_record

    folder = _find_batch(settings, batch_id)
    record = read_record(folder)
    if record.status == "done":
        return BatchResult(record, carried_out=False)
    with hold_locks(settings, "salescast run --resume", take=take_lock):
        batch = _open_batch(settings, folder, progress)
        _carry_out(settings, batch, stop_jobs, progress)
    return _result(settings, batch.record)


def step(
    settings: Settings,
    name: Step,
    batch_id: str | None = None,
    *,
    take_lock: bool = False,
    stop_jobs: bool | None = None,
    progress: CommandProgress = SILENT,
) -> StepResult:
    """Do one step for all runs of a batch that wait for it.

    Args:
        settings: The settings.
        name: The step.
        batch_id: The batch; None for the newest.
        take_lock: Break the lock that another home holds on a lake on S3.
        stop_jobs: Whether an interrupt stops a job on SageMaker too; None to ask `progress`.
        progress: Told each run's step.

    Raises:
        UserError: There is no such batch, or it was begun with another forecaster.
        SalescastError: The step failed or is not to be done yet, or another command holds a lock.
    """
    from salescast.lake.lock import hold_locks
    from salescast.week.run import carry_out, open_week

    with hold_locks(settings, f"salescast {name}", take=take_lock):
        batch = _open_batch(settings, _find_batch(settings, batch_id), progress)
        before = len(batch.record.attempts)
        stop_job = _stop_job(stop_jobs, progress)
        carry_out(open_week(settings, batch, progress.update, stop_job), only=name)
    return StepResult(batch.record, batch.record.attempts[before:])


def build(
    settings: Settings,
    selector: Selector | None = None,
    *,
    full_refresh: bool = False,
    take_lock: bool = False,
    progress: CommandProgress = SILENT,
) -> Built:
    """Build the warehouse on what has landed, and publish the marts.

    Args:
        settings: The settings.
        selector: Only this part of the dbt project; `pre_predict` makes no marts to publish. None
            for all but what only new forecasts of some models are made from.
        full_refresh: Rebuild incremental models from nothing.
        take_lock: Break the lock that another home holds on a lake on S3.
        progress: Told the state of the build.

    Raises:
        RunError: A model or test failed, or another command holds a lock.
    """
    from salescast.lake.lock import hold_locks
    from salescast.warehouse import open_warehouse

    with hold_locks(settings, "salescast build", take=take_lock):
        _warn_of_version(settings, progress)
        warehouse = open_warehouse(settings, progress.update)
        result = warehouse.build(selector or "whatever_landed", full_refresh=full_refresh)
        progress.say(f"build: {result.n_nodes} nodes in {result.seconds:.1f} s of dbt's own")
        for warning in result.warnings:
            progress.say(f"warning: {warning}")
        published = None
        if selector != "pre_predict":
            published = warehouse.publish()
            progress.say(f"published: {published}")
        if (spent := warehouse.spent()) is not None:
            progress.say(f"in all: {spent}")
    return Built(result, published)


def report(settings: Settings, out: Path | None = None) -> Path:
    """Write the report of the published marts as one HTML file; returns its place.

    Args:
        settings: The settings.
        out: The file; None for the home's own.

    Raises:
        UserError: No marts are published.
        RunError: They cannot be opened, or the file cannot be written.
    """
    from salescast.report import write_report

    return write_report(
        settings.marts_file, out or settings.report_file, schema=settings.schema_prefix
    )


def leaderboard(settings: Settings, level: str, horizon_band: str) -> list[dict[str, Any]]:
    """The models side by side, as rows of rpt_leaderboard.

    Args:
        settings: The settings.
        level: Level of the rows.
        horizon_band: Weeks ahead, or all.

    Raises:
        UserError: No marts are published.
    """
    from salescast.marts.reader import read_leaderboard

    return read_leaderboard(
        settings.marts_file,
        schema=settings.schema_prefix,
        level=level,
        horizon_band=horizon_band,
    )


def status(settings: Settings, last: int = 10) -> HomeStatus:
    """The last batches of the home, the newest first; a record that is broken stops no other."""
    from salescast.status import read_status

    return read_status(settings.batches, last)


def champion(settings: Settings) -> Champion:
    """The champion."""
    from salescast.lake import open_lake
    from salescast.recipes.catalogue import read_models
    from salescast.week.champion import read_champion

    return read_champion(open_lake(settings), read_models(settings.project / "models.toml"))


def champion_history(settings: Settings) -> list[Champion]:
    """All choices of a champion, the newest first."""
    from salescast.lake import open_lake
    from salescast.week.champion import read_history

    return read_history(open_lake(settings))[::-1]


def withdraw(settings: Settings, run_id: str, *, reason: str, take_lock: bool = False) -> list[str]:
    """Withdraw a landed run, or all of a batch; returns the runs that were withdrawn.

    Raises:
        UserError: The reason is empty, there is no such landed run, or it is withdrawn already.
        RunError: Another command holds a lock.
    """
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.week.withdrawal import withdraw as take_out

    with hold_locks(settings, f"salescast withdraw {run_id}", take=take_lock):
        return take_out(run_id, open_lake(settings), reason)


def set_champion(
    settings: Settings,
    model_id: str,
    *,
    reason: str,
    trained_model_id: str | None = None,
    take_lock: bool = False,
) -> Champion:
    """Choose a model of `models.toml`; returns the choice.

    Raises:
        UserError: There is no such model or trained model, or the reason is empty.
        RunError: Another command holds a lock.
    """
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.recipes.catalogue import read_models
    from salescast.week.champion import set_champion as choose

    with hold_locks(settings, f"salescast champion set {model_id}", take=take_lock):
        return choose(
            open_lake(settings),
            read_models(settings.project / "models.toml"),
            model_id,
            reason=reason,
            trained_model_id=trained_model_id,
        )


def roll_back_champion(
    settings: Settings, *, reason: str | None = None, take_lock: bool = False
) -> Champion:
    """Go back to the choice before; returns it.

    Raises:
        UserError: Nothing was chosen before, or it is no longer there.
        RunError: Another command holds a lock.
    """
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.recipes.catalogue import read_models
    from salescast.week.champion import roll_back

    with hold_locks(settings, "salescast champion rollback", take=take_lock):
        models = read_models(settings.project / "models.toml")
        return roll_back(open_lake(settings), models, reason=reason)


def prune(
    settings: Settings,
    older_than_days: int,
    *,
    dry_run: bool = False,
    take_lock: bool = False,
    told: Callable[[Removal], None] = lambda _: None,
) -> list[Removal]:
    """Remove what batches that were finished some days ago have left, never anything that landed.

    Args:
        settings: The settings.
        older_than_days: Days since a batch was finished.
        dry_run: Find it only; needs no lock.
        take_lock: Break the lock that another home holds on a lake on S3.
        told: Told each thing as soon as it is gone, or found where nothing goes.

    Raises:
        RunError: Another command holds a lock.
    """
    from salescast.lake import open_lake
    from salescast.lake.lock import hold_locks
    from salescast.prune import find_removals

    command = f"salescast prune --older-than {older_than_days}"
    lock = partial(hold_locks, settings, command, take=take_lock, frees_room=True)
    done = []
    with nullcontext() if dry_run else lock():
        for each in find_removals(settings, open_lake(settings), older_than_days):
            if not dry_run:
                each.remove()
            told(each)
            done.append(each)
    return done


def demo(
    settings: Settings, model_id: str | None = None, *, progress: CommandProgress = SILENT
) -> BatchResult:
    """Simulate a chain, land it and run its week.

    Args:
        settings: The settings.
        model_id: The model; None for the blend and DeepAR, as far as they can work here.
        progress: Told what is done.

    Raises:
        SalescastError: A step failed, or another command holds a lock.
    """
    from salescast.recipes.catalogue import choose_models, read_models
    from salescast.simulate import simulate
    from salescast.week.plan import Asked

    if model_id is not None:
        choose_models(read_models(settings.project / "models.toml"), [model_id])
    data = settings.home / "demo"
    if not any(data.glob("sales.*")):
        summary = simulate(data)
        progress.say(f"simulate: {summary.n_series:,} series in {data}")
    ingest(settings, data, "demo", progress=progress)
    names = (model_id,) if model_id is not None else _models_for_demo(settings, progress)
    return start(settings, Asked("run", model_names=names, backtests=1), progress=progress)


def _models_for_demo(settings: Settings, progress: CommandProgress) -> tuple[str, ...]:
    from salescast.forecaster import open_forecaster
    from salescast.recipes import SNAIVE, find_recipe, needed_libraries
    from salescast.recipes.catalogue import BLEND, DEEPAR, choose_models, read_models

    forecaster = open_forecaster(settings)
    known = read_models(settings.project / "models.toml")
    able = []
    for name in (BLEND, DEEPAR):
        try:
            needed = choose_models(known, [name])
            forecaster.check_ready(needed_libraries(needed))
            for model in needed:
                if (jobs := find_recipe(model.recipe).jobs) is not None:
                    jobs.check(model, forecaster, settings.default_horizon, None)
        except UserError as error:
            progress.say(f"Without {name}: {error}")
        else:
            able.append(name)
    return tuple(able) or (SNAIVE,)


def _carry_out(
    settings: Settings, batch: Batch, stop_jobs: bool | None, progress: CommandProgress
) -> None:
    """Do all that is left of a batch; the caller holds the locks."""
    from salescast.week.run import carry_out, open_week

    progress.say(f"batch {batch.record.batch_id}")
    _warn_of_version(settings, progress)
    week = open_week(settings, batch, progress.update, _stop_job(stop_jobs, progress))
    carry_out(week)
    if (spent := week.warehouse.spent()) is not None:
        progress.say(f"in all: {spent}")


def _warn_of_version(settings: Settings, progress: CommandProgress) -> None:
    """Tell of a dbt project that another version of the program wrote."""
    from salescast.dbt_project import version_problem

    if (problem := version_problem(settings.project)) is not None:
        progress.say(f"warning: {' '.join(problem)}")


def _stop_job(stop_jobs: bool | None, progress: CommandProgress) -> Callable[[str], bool]:
    """Decides at an interrupt whether a job elsewhere stops too."""

    def decide(job: str) -> bool:
        if stop_jobs is not None:
            return stop_jobs
        return progress.confirm(f"Stop the job {job} too?")

    return decide


def _result(settings: Settings, record: BatchRecord) -> BatchResult:
    from salescast.marts.reader import read_accuracy, read_rejected, read_reruns

    accuracy = read_accuracy(
        settings.marts_file,
        schema=settings.schema_prefix,
        cutoffs=record.asked_cutoffs(),
        first=champion(settings).model_id,
    )
    rejected = read_rejected(settings.marts_file, schema=settings.schema_prefix)
    reruns = read_reruns(
        settings.marts_file, schema=settings.schema_prefix, batch_id=record.batch_id
    )
    return BatchResult(
        record, carried_out=True, accuracy=accuracy, rejected=rejected, reruns=reruns
    )


def _find_batch(settings: Settings, batch_id: str | None) -> Path:
    from salescast.week.batch import find_folder, newest_folder

    if batch_id is None:
        return newest_folder(settings.batches)
    return find_folder(settings.batches, batch_id)


def _open_batch(settings: Settings, folder: Path, progress: CommandProgress) -> Batch:
    from salescast.lake import open_lake
    from salescast.week.batch import Batch, read_record

    return Batch(read_record(folder), folder, open_lake(settings), progress.say)
