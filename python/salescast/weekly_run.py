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

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from salescast.batch import (
    Batch,
    BatchRecord,
    CutoffRequest,
    RunRecord,
    code_version,
    new_batch_id,
    run_id_of,
)
from salescast.errors import RunError, UserError
from salescast.export import RunFiles, export_run
from salescast.forecaster import (
    Forecaster,
    StopJob,
    TrainingJob,
    TransformJob,
    open_forecaster,
)
from salescast.forecaster.trained import (
    TrainedModel,
    check_categories,
    has_trained_model,
    keep_trained_model,
    read_trained_model,
)
from salescast.ingest import complete_loads
from salescast.lake import Lake, open_lake, sortable_id, utc_naive
from salescast.load import land_run
from salescast.models import SNAIVE, Model, read_models
from salescast.output_check import check_output
from salescast.settings import Settings
from salescast.warehouse import Landed, Warehouse, open_warehouse
from salescast.warehouse.landed import read_lower_bound


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
        _do(week, "build", partial(_build, week, "pre_predict"))
        _do(week, "resolve", partial(_resolve, week))
    elif not batch.record.runs or (only == "export" and _is_outdated(week)):
        raise RunError(
            f"The warehouse is not built for batch {batch.record.batch_id}.",
            where=f"step {only}",
            fix="Go on with everything that is left: salescast run --resume.",
        )

    if only in (None, "export"):
        for run in batch.record.runs:
            _do(week, "export", partial(_export, week, run), run)

    for run in batch.record.runs:
        if run.recipe == "deepar" and only in (None, "train"):
            _do(week, "train", partial(_train, week, run), run)
        if run.recipe == "deepar" and only in (None, "predict"):
            _look_for_forecasts(week, run)
            _do(week, "predict", partial(_predict, week, run), run)
        if only in (None, "load"):
            _do(week, "load", partial(_load, week, run), run)

    if only is None:
        _do(week, "build marts", partial(_build, week, "post_predict"))
        _do(week, "publish", partial(_publish, week))
        batch.finish()


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


def new_record(
    command: str,
    *,
    landed: Landed,
    models: Sequence[Model],
    forecaster: str,
    horizon: int,
    max_horizon: int,
    cutoffs: Sequence[date] = (),
    backtests: int = 0,
    trained: TrainedModel | None = None,
    trained_by: str = "--trained-model",
) -> BatchRecord:
    """The record of a new batch, refused early if it cannot work.

    Args:
        command: `run` or `backtest`.
        landed: What the lake holds.
        models: The models of each cutoff.
        forecaster: Name of the forecaster for those of the recipe deepar.
        horizon: Weeks to forecast.
        max_horizon: The most weeks the warehouse's spine reaches.
        cutoffs: Last weeks to show the models; for `run` one or none, none being the newest.
        backtests: Further windows of `run`, each a horizon before the last.
        trained: A trained model to use instead of training.
        trained_by: What named it, for messages.

    Raises:
        UserError: No sales are landed, a value is out of range, or the trained model does not fit.
    """
    if landed.first_date is None or landed.last_date is None:
        raise UserError(
            "No sales are landed in this home.",
            where="lake table raw_sales",
            fix="Land a folder first: salescast ingest PATH --mapping NAME.",
        )
    if not 1 <= horizon <= max_horizon:
        raise UserError(
            f"A horizon of {horizon} weeks is out of range.",
            where="--horizon",
            fix=f"Give 1 to {max_horizon} weeks.",
        )
    if backtests < 0:
        raise UserError("The number of backtest windows cannot be negative.", where="--backtests")
    if command == "backtest":
        requests = [
            CutoffRequest(cutoff_date=cutoff, weeks_back=0, kind="backtest")
            for cutoff in sorted(set(cutoffs))
        ]
    else:
        base = cutoffs[0] if cutoffs else None
        requests = [CutoffRequest(cutoff_date=base, weeks_back=0, kind="forecast")]
        requests += [
            CutoffRequest(cutoff_date=base, weeks_back=window * horizon, kind="backtest")
            for window in range(1, backtests + 1)
        ]
    for request in requests:
        asked = (request.cutoff_date or landed.last_date) - timedelta(weeks=request.weeks_back)
        if not landed.first_date <= asked < landed.last_date + timedelta(weeks=1):
            raise UserError(
                f"The cutoff {asked} is outside the landed sales.",
                where="--cutoff" if request.weeks_back == 0 else "--backtests",
                fix=f"Sales go from {landed.first_date} to {landed.last_date}.",
            )
        if trained is not None:
            _check_unseen(trained, asked, trained_by)
    if trained is not None:
        _check_reuse(trained, models, horizon, trained_by)
    return BatchRecord(
        batch_id=new_batch_id(),
        command=command,
        arguments={
            "cutoffs": [cutoff.isoformat() for cutoff in cutoffs],
            "horizon": horizon,
            "models": [model.model_id for model in models],
            "backtests": backtests,
            "trained_model": trained.trained_model_id if trained else None,
        },
        created_at=datetime.now(UTC),
        requests=requests,
        prediction_length=horizon,
        models=[model.model_id for model in models],
        forecaster=forecaster if any(model.recipe == "deepar" for model in models) else None,
        trained_model_id=trained.trained_model_id if trained else None,
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
    if record.runs and all(batch.is_done("export", run) for run in record.runs):
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
    # A kill during ingest can leave rows whose load is not recorded yet.
    complete_loads(week.lake)
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
    return f"{n} {'cutoff' if n == 1 else 'cutoffs'}, {record.prediction_length} weeks ahead"


def _build(week: Week, selector: str) -> str:
    result = week.warehouse.build(selector)
    detail = f"{result.n_nodes} nodes in {result.seconds:.1f} s of dbt's own"
    if result.warnings:
        detail += "".join(f"\n  warning: {warning}" for warning in result.warnings)
    return detail


def _publish(week: Week) -> str:
    return f"readers open {week.warehouse.publish()}"


def _resolve(week: Week) -> str:
    """Make one run of each cutoff and model."""
    record = week.batch.record
    cutoffs = week.warehouse.cutoffs()
    without = [str(cutoff.cutoff_date) for cutoff in cutoffs if not cutoff.has_sales]
    if without or not cutoffs:
        raise UserError(
            f"No complete week of sales ends at the cutoff {', '.join(without) or 'asked for'}.",
            where="--cutoff",
            fix="Give a day on or after the end of the first complete week and not after the "
            "newest one.",
        )
    pairs = [(cutoff, week.models[name]) for cutoff in cutoffs for name in record.models]
    record.runs = [
        RunRecord(
            run_id=run_id_of(record.batch_id, number, model.model_id),
            model_id=model.model_id,
            recipe=model.recipe,
            kind=cutoff.kind,
            cutoff_date=cutoff.cutoff_date,
            prediction_length=record.prediction_length,
            trained_model_id=record.trained_model_id if model.recipe == "deepar" else None,
        )
        for number, (cutoff, model) in enumerate(pairs, start=1)
    ]
    return ", ".join(f"{cutoff.cutoff_date} ({cutoff.kind})" for cutoff in cutoffs)


def _export(week: Week, run: RunRecord) -> str:
    detail = export_run(
        week.warehouse,
        week.models[run.model_id],
        run.cutoff_date,
        _files(week, run),
        fallback=week.models[SNAIVE],
        trained=_reused(week, run),
        config=week.duckdb_config,
    )
    run.data_hash = week.batch.record.data_hash
    return detail


def _train(week: Week, run: RunRecord) -> str:
    if (reused := _reused(week, run)) is not None:
        return f"used {reused.trained_model_id} of {reused.cutoff_date}"
    # A kill after the model was kept and before the record was written: it is the same model.
    if not has_trained_model(week.lake, run.run_id):
        files = _files(week, run)
        _need(files.manifest, run, "export")
        hyperparameters = week.models[run.model_id].job_hyperparameters(run.prediction_length)
        artifact = week.forecaster.train(
            TrainingJob(
                _job_name(run), files.training_channel, hyperparameters, files.work, run.run_id
            )
        )
        keep_trained_model(
            week.lake,
            run.run_id,
            artifact=artifact,
            encoding=files.encoding(),
            model_id=run.model_id,
            cutoff_date=run.cutoff_date,
            prediction_length=run.prediction_length,
            hyperparameters=hyperparameters,
            program=week.forecaster.program,
        )
    run.trained_model_id = run.run_id
    return f"kept as {run.run_id}"


def _predict(week: Week, run: RunRecord) -> str:
    files = _files(week, run)
    if run.trained_model_id is None:
        raise _not_yet(run, "train")
    _need(files.inference, run, "export")
    trained = read_trained_model(week.lake, run.trained_model_id)
    week.forecaster.check_artifact(trained.program)
    # A refused output fails this step, so that a resume forecasts anew.
    check = partial(
        check_output,
        manifest=files.inference_items,
        forecasts=files.forecasts,
        prediction_length=run.prediction_length,
        config=week.duckdb_config,
    )
    week.forecaster.transform(
        TransformJob(
            name=_job_name(run),
            artifact=trained.artifact,
            input_file=files.inference,
            output_file=files.output,
            work=files.work,
            run_id=run.run_id,
            check=check,
        )
    )
    return f"by {trained.trained_model_id}"


def _look_for_forecasts(week: Week, run: RunRecord) -> None:
    """Have a run forecast again whose forecasts are neither landed nor there to be landed.

    Versions of before the output was checked in this step left none.
    """
    waits_for_load = week.batch.is_done("predict", run) and not week.batch.is_done("load", run)
    if waits_for_load and not _files(week, run).forecasts.is_file():
        week.batch.forget("predict", run=run)


def _load(week: Week, run: RunRecord) -> str:
    files = _files(week, run)
    if run.recipe == "deepar":
        _need(files.forecasts, run, "predict")
    _need(files.baseline, run, "export")
    trained = (
        None
        if run.trained_model_id is None
        else read_trained_model(week.lake, run.trained_model_id)
    )
    landed = land_run(
        week.lake,
        run,
        files,
        batch_id=week.batch.record.batch_id,
        lower_bound=read_lower_bound(week.lake),
        facts={
            "forecaster": week.forecaster.name if run.recipe == "deepar" else "warehouse",
            "seed": None if trained is None else trained.seed,
            "hyperparameters": None
            if trained is None
            else json.dumps(dict(trained.hyperparameters), sort_keys=True),
            "code_version": week.code_version,
        },
        config=week.duckdb_config,
    )
    return str(landed)


def _check_reuse(
    trained: TrainedModel, models: Sequence[Model], horizon: int, named_by: str
) -> None:
    deepar = [model.model_id for model in models if model.recipe == "deepar"]
    if deepar != [trained.model_id]:
        raise UserError(
            f"The trained model {trained.trained_model_id} is one of {trained.model_id}, the run "
            f"has {', '.join(deepar) or 'no deepar model'}.",
            where=named_by,
            fix=f"Give --model {trained.model_id} with it, and no other deepar model.",
        )
    if trained.prediction_length != horizon:
        raise UserError(
            f"The trained model {trained.trained_model_id} forecasts "
            f"{trained.prediction_length} weeks, not {horizon}.",
            where=named_by,
            fix=f"Give --horizon {trained.prediction_length}, or train a new model: --model "
            f"{trained.model_id} without --trained-model.",
        )
    check_categories(trained)


def _reused(week: Week, run: RunRecord) -> TrainedModel | None:
    """The model that the command named; refused for weeks that it has already seen."""
    if run.recipe != "deepar" or (name := week.batch.record.trained_model_id) is None:
        return None
    trained = read_trained_model(week.lake, name)
    week.forecaster.check_artifact(trained.program)
    _check_unseen(trained, run.cutoff_date, "the batch's trained model")
    return trained


def _check_unseen(trained: TrainedModel, cutoff: date, named_by: str) -> None:
    if trained.cutoff_date > cutoff:
        raise UserError(
            f"The trained model {trained.trained_model_id} has seen sales up to "
            f"{trained.cutoff_date}, after the cutoff {cutoff}.",
            where=named_by,
            fix="Take a model trained at or before the cutoff, or train a new one: --model "
            f"{trained.model_id} without --trained-model.",
        )


def _files(week: Week, run: RunRecord) -> RunFiles:
    return RunFiles(week.batch.work(run))


def _job_name(run: RunRecord) -> str:
    return f"{run.model_id} at {run.cutoff_date}"


def _need(path: Path, run: RunRecord, step: str) -> None:
    if not path.is_file():
        raise _not_yet(run, step)


def _not_yet(run: RunRecord, step: str) -> RunError:
    return RunError(
        f"The run {run.run_id} has not come to this step.",
        where=f"step {step}",
        fix=f"Do it first: salescast {step}; or all that is left: salescast run --resume.",
    )
