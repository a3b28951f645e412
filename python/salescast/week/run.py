"""The week, top to bottom: request, build, export, train, predict, load, build, publish.

`carry_out` is the whole of it; everything below it is one function a step. Each step is written
to the batch record when it is finished and is never done again, so a killed batch goes on where
it stopped.

A resume after new data was landed, or after another batch asked for other cutoffs: files that
were exported before the stop are used as they are; if some run has no exports yet, the build is
done again first, for the same cutoffs, and each run keeps the hash of the data that its own
exports were made from (`runs.data_hash`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from salescast.disk import DiskError
from salescast.errors import RunError, UserError
from salescast.forecaster import Forecaster, StopJob, open_forecaster
from salescast.lake import Lake, open_lake, sortable_id, utc_naive
from salescast.recipes import SNAIVE, Context, Model, find_recipe, not_yet, selectors_of, steps_of
from salescast.recipes.catalogue import read_models
from salescast.settings import Settings
from salescast.warehouse import Warehouse, open_warehouse
from salescast.warehouse.landed import landed_until_sql
from salescast.week.batch import Batch, CutoffRequest, RunRecord, code_version, run_id_of
from salescast.week.export import (
    RunFiles,
    export_closed_weeks,
    export_plausible_range,
    export_series,
)


@dataclass(frozen=True)
class Week:
    """A batch with everything its steps work on."""

    batch: Batch
    warehouse: Warehouse
    forecaster: Forecaster
    lake: Lake
    models: Mapping[str, Model]
    code_version: str
    duckdb_config: Mapping[str, Any] = field(default_factory=dict)


def carry_out(week: Week, only: str | None = None) -> None:
    """Do what is left of a batch, in this order.

    Args:
        week: The batch.
        only: One of export, train, predict and load: do this step for all runs that wait for it,
            and nothing else.

    Raises:
        UserError: The batch was begun with another forecaster.
        SalescastError: A step failed; the steps before it are kept.
    """
    batch = week.batch
    _check_forecaster(week)
    if only is None:
        batch.land_steps()
        if _is_outdated(week):
            _begin_again(week)
        _do(week, "request", partial(_request, week))
        _do(week, "build", partial(_build_for_models, week))
        _do(week, "resolve", partial(_resolve, week))
    elif not batch.record.runs or (only == "export" and _is_outdated(week)):
        raise RunError(
            f"The warehouse is not built for batch {batch.record.batch_id}.",
            where=f"step {only}",
            fix="Go on with everything that is left: salescast run --resume.",
        )

    if only in (None, "export"):
        for run in batch.record.runs:
            with _leaving_out(week, run):
                _do_step(week, "export", run)

    # Each run lands before the next one begins, which may need what it landed.
    for run in batch.record.runs:
        with _leaving_out(week, run):
            for step in ("train", "predict", "load"):
                if only in (None, step):
                    _do_step(week, step, run)

    if only is None:
        _do(week, "build marts", partial(_build, week, "post_predict"))
        _do(week, "publish", partial(_publish, week))
        batch.finish()


@contextmanager
def _leaving_out(week: Week, run: RunRecord) -> Iterator[None]:
    """Go on without a run that nobody asked for and that fails: others learn from fewer."""
    record = week.batch.record
    newest = max(each.cutoff_date for each in record.runs)
    try:
        yield
    except (RunError, UserError) as error:
        # A disk that is full would be so for the next run too.
        if isinstance(error, DiskError) or run.cutoff_date not in record.vintages(newest):
            raise
        week.batch.tell(f"left out {run.model_id} at {run.cutoff_date}: {error.what}")


def _do(week: Week, step: str, action: Callable[[], str], run: RunRecord | None = None) -> None:
    """Do a step unless it is finished; its detail says what it cost where something is billed."""

    def with_cost() -> str:
        before = week.warehouse.spent()
        detail = action()
        after = week.warehouse.spent()
        if before is None or after is None or after == before:
            return detail
        return f"{detail}; {after.since(before)}"

    week.batch.do(step, with_cost, run, used=week.forecaster.used)


def _do_step(week: Week, name: str, run: RunRecord) -> None:
    """Do a step of a run that has not landed, if its recipe has the step and it is not finished."""
    recipe = find_recipe(run.recipe, f"run {run.run_id}")
    step = recipe.step(name)
    batch = week.batch
    if step is None or batch.is_done("load", run):
        return
    context = _context(week, run)
    if batch.is_done(name, run) and step.is_lost(context, run):
        batch.forget(name, run=run)

    def act() -> str:
        if name != "export":
            _check_needed(week, context.needed)
        if step is recipe.steps[0]:
            run.data_hash = batch.record.data_hash
            export_series(context.warehouse, run.cutoff_date, context.files.series)
            export_closed_weeks(context.warehouse, run.cutoff_date, context.files.closed_weeks)
            if run.model_id != SNAIVE:
                export_plausible_range(
                    context.warehouse, run.cutoff_date, context.files.plausible_range
                )
        return step.do(context, run)

    _do(week, name, act, run)


def _context(week: Week, run: RunRecord) -> Context:
    recipe, record = find_recipe(run.recipe), week.batch.record
    model = week.models.get(run.model_id)
    if model is None:
        raise UserError(
            f"The model {run.model_id} of this batch is not in models.toml any more.",
            where=f"run {run.run_id}",
            fix=f"Put [{run.model_id}] back, or start a new batch: salescast run.",
        )
    if model.recipe != run.recipe:
        raise UserError(
            f"The model {run.model_id} had the recipe {run.recipe} when this batch began, and has "
            f"{model.recipe} now.",
            where=f"run {run.run_id}",
            fix=f'Put recipe = "{run.recipe}" back, or start a new batch: salescast run.',
        )
    needs = set(recipe.needs(model))
    needed = {
        each.model_id: each
        for each in record.runs
        if each.cutoff_date == run.cutoff_date and each.model_id in needs
    }
    if missing := sorted(needs - set(needed)):
        raise UserError(
            f"The model {run.model_id} needs {', '.join(missing)}, of which this batch has no run.",
            where=f"run {run.run_id}",
            fix="Start a new batch: salescast run.",
        )
    lender = record.lender(run)
    vintages = landed_until_sql(week.lake, run.cutoff_date) if recipe.vintages else None
    return Context(
        warehouse=week.warehouse,
        forecaster=week.forecaster,
        lake=week.lake,
        models=week.models,
        files=RunFiles(week.batch.work(run)),
        batch_id=record.batch_id,
        code_version=week.code_version,
        asked_trained_model=record.trained_model_id,
        lender=None if lender is None else (lender, RunFiles(week.batch.work(lender))),
        needed=needed,
        vintages=vintages,
        duckdb_config=week.duckdb_config,
    )


def _check_needed(week: Week, needed: Mapping[str, RunRecord]) -> None:
    for run in needed.values():
        if not week.batch.is_done("load", run):
            raise not_yet(run, "load")


def open_week(
    settings: Settings,
    batch: Batch,
    update: Callable[[str], None],
    stop_job: StopJob = lambda _: False,
) -> Week:
    """A batch with the warehouse, forecaster and lake that the settings name.

    Args:
        settings: The settings.
        batch: The batch.
        update: Told the state of long work.
        stop_job: Asked at an interrupt about a job that goes on without this command.
    """
    return Week(
        batch=batch,
        warehouse=open_warehouse(settings, update),
        forecaster=open_forecaster(settings, update, stop_job),
        lake=open_lake(settings),
        models=read_models(settings.project / "models.toml"),
        code_version=code_version(settings.project),
        duckdb_config=settings.duckdb_config,
    )


def _check_forecaster(week: Week) -> None:
    """Refuse to go on elsewhere: a job of the first forecaster may still be running."""
    kept = week.batch.record.forecaster
    if kept not in (None, week.forecaster.name):
        raise UserError(
            f"Batch {week.batch.record.batch_id} was begun with the forecaster {kept}, not "
            f"{week.forecaster.name}.",
            where="SALESCAST_FORECASTER",
            fix=f"Set SALESCAST_FORECASTER={kept} and give the command again, or start a new "
            "batch: salescast run.",
        )


def _is_outdated(week: Week) -> bool:
    """Whether a run still needs exports that the warehouse may no longer hold."""
    batch, record = week.batch, week.batch.record
    if not batch.is_done("request"):
        return False
    exported = [run for run in record.runs if "export" in steps_of(run)]
    if record.runs and all(batch.is_done("export", run) for run in exported):
        return False
    landed = week.warehouse.landed()
    return (landed.data_hash, landed.cutoff_request) != (record.data_hash, record.request_id)


def _begin_again(week: Week) -> None:
    """Have the request and the build done again, for the cutoffs of the first build."""
    record = week.batch.record
    if record.runs:
        kinds = {run.cutoff_date: run.kind for run in record.runs}
        record.requests = [
            CutoffRequest(cutoff_date=cutoff, weeks_back=0, kind=kind)
            for cutoff, kind in kinds.items()
        ]
    week.batch.forget("request", "build")


def _request(week: Week) -> str:
    record = week.batch.record
    now = datetime.now(UTC)
    request_id = sortable_id(now)
    week.lake.append(
        "requested_cutoffs",
        [
            {
                **request.model_dump(),
                "request_id": request_id,
                "requested_at": utc_naive(now),
                "horizon_weeks": record.prediction_length,
            }
            for request in record.requests
        ],
        name=request_id,
    )
    record.request_id = request_id
    record.data_hash = week.warehouse.landed().data_hash
    n = len(record.requests)
    detail = f"{n} {'cutoff' if n == 1 else 'cutoffs'}, {record.prediction_length} weeks ahead"
    if record.learned_from:
        names = dict.fromkeys(name for models in record.learned_from.values() for name in models)
        detail += f"; {len(record.learned_from)} of them to learn from: {', '.join(names)}"
    return detail


def _build_for_models(week: Week) -> str:
    """Build what all models are made from, then what only some of the batch's are."""
    models = [week.models[name] for name in week.batch.record.models if name in week.models]
    return _build(week, "pre_predict", *selectors_of(models))


def _build(week: Week, *selectors: str) -> str:
    results = [week.warehouse.build(selector) for selector in selectors]
    n_nodes = sum(result.n_nodes for result in results)
    seconds = sum(result.seconds for result in results)
    detail = f"{n_nodes} nodes in {seconds:.1f} s of dbt's own"
    warnings = (warning for result in results for warning in result.warnings)
    return detail + "".join(f"\n  warning: {warning}" for warning in warnings)


def _publish(week: Week) -> str:
    return f"readers open {week.warehouse.publish()}"


def _resolve(week: Week) -> str:
    """Make one run of each model and cutoff; a model's come after all of those that it needs."""
    record = week.batch.record
    cutoffs = week.warehouse.cutoffs()
    newest = max((cutoff.cutoff_date for cutoff in cutoffs), default=date.max)
    # Nobody asked for vintages by name: one without sales is left out.
    vintages = record.vintages(newest)
    cutoffs = [each for each in cutoffs if each.has_sales or each.cutoff_date not in vintages]
    without = [str(cutoff.cutoff_date) for cutoff in cutoffs if not cutoff.has_sales]
    if without or not cutoffs:
        raise UserError(
            f"No complete week of sales ends at the cutoff {', '.join(without) or 'asked for'}.",
            where="--cutoff",
            fix="Give a day on or after the end of the first complete week and not after the "
            "newest one.",
        )
    pairs = [
        (cutoff, week.models[name])
        for name in record.models
        for cutoff in cutoffs
        if name in record.models_at(cutoff.cutoff_date, newest)
    ]
    record.runs = [
        RunRecord(
            run_id=run_id_of(record.batch_id, number, model.model_id),
            model_id=model.model_id,
            recipe=model.recipe,
            kind=cutoff.kind,
            cutoff_date=cutoff.cutoff_date,
            prediction_length=record.prediction_length,
            trained_model_id=record.trained_model_id if find_recipe(model.recipe).jobs else None,
            newest_week_end_date=cutoff.newest_week_end_date,
        )
        for number, (cutoff, model) in enumerate(pairs, start=1)
    ]
    return ", ".join(f"{cutoff.cutoff_date} ({cutoff.kind})" for cutoff in cutoffs)
