"""What a command asks of a new batch, and the batch that comes of it; nothing is written.

Planning stands above the week: it is refused here what could not be carried out there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from salescast.errors import UserError
from salescast.forecaster import Forecaster, open_forecaster
from salescast.lake import Lake
from salescast.lake.trained_models import TrainedModel, check_categories, read_trained_model
from salescast.recipes import SNAIVE, AtVintages, Model, find_recipe, needed_libraries
from salescast.recipes.catalogue import CHAMPION, choose_models, read_models
from salescast.recipes.trained import check_unseen
from salescast.warehouse import Landed
from salescast.week.batch import BatchRecord, CutoffRequest, new_batch_id
from salescast.week.champion import resolve

if TYPE_CHECKING:
    from salescast.settings import Settings


VINTAGES = 8
"""Vintages that a model which learns from them should have; more change little."""

VINTAGE_STEP = 4
"""Weeks from one to the next: neighbours share most of their errors."""

_BLOCKS = range(1, VINTAGES + 1)

_LEAST_HISTORY = 60
"""Weeks of sales before the first vintage: a year, and some to see it by."""

_LEAST_HISTORY_TO_REUSE = 90
"""The same for a model that is trained there once for all later vintages; with less a network knows
little of the year, and would be judged by what it no longer is."""


@dataclass(frozen=True)
class Asked:
    """The options of `run` or `backtest`; None and empty where the command was given none.

    Attributes:
        last: How many cutoffs of `backtest` lie `step` weeks from each other, the newest of them as
            far before the newest complete week.
        step: Those weeks.
    """

    command: str
    cutoffs: Sequence[date] = ()
    last: int = 0
    step: int = VINTAGE_STEP
    horizon: int | None = None
    model_names: Sequence[str] = ()
    backtests: int = 0
    trained_model: str | None = None


@dataclass(frozen=True)
class NewBatch:
    """A batch that could be started, with its models."""

    record: BatchRecord
    models: Sequence[Model]
    trained: TrainedModel | None


def plan_batch(settings: Settings, lake: Lake, landed: Landed, asked: Asked) -> NewBatch:
    """The batch that a command asks for, refused early if it cannot work.

    Args:
        settings: The settings.
        lake: The lake, which knows the champion and the trained models.
        landed: What the lake holds.
        asked: The options of the command.

    Raises:
        UserError: A model is not known or not for this forecaster, a value is out of range, or
            nothing is landed.
    """
    known = read_models(settings.project / "models.toml")
    names, trained_model = resolve(asked.model_names, asked.trained_model, lake, known)
    models = choose_models(known, names)
    is_champions = asked.trained_model is None and CHAMPION in asked.model_names
    trained = None if trained_model is None else read_trained_model(lake, trained_model)
    record = new_record(
        asked.command,
        landed=landed,
        models=models,
        forecaster=settings.forecaster,
        horizon=settings.default_horizon if asked.horizon is None else asked.horizon,
        max_horizon=settings.max_horizon,
        cutoffs=asked.cutoffs,
        last=asked.last,
        step=asked.step,
        backtests=asked.backtests,
        trained=trained,
        trained_by="the champion's trained model" if is_champions else "--trained-model",
    )
    if asked.command == "run":
        _ask_for_vintages(record, models, lake, landed)
    batch = NewBatch(record, models, trained)
    _check_jobs(batch, open_forecaster(settings))
    return batch


def check_ready(settings: Settings, batch: NewBatch) -> None:
    """Refuse a batch whose jobs could not start here, for want of a setting or a library.

    Raises:
        UserError: Something must be installed or set first.
    """
    if any(find_recipe(model.recipe).jobs for model in batch.models):
        open_forecaster(settings).check_ready(needed_libraries(batch.models))


def new_record(
    command: str,
    *,
    landed: Landed,
    models: Sequence[Model],
    forecaster: str,
    horizon: int,
    max_horizon: int,
    cutoffs: Sequence[date] = (),
    last: int = 0,
    step: int = VINTAGE_STEP,
    backtests: int = 0,
    trained: TrainedModel | None = None,
    trained_by: str = "--trained-model",
) -> BatchRecord:
    """The record of a new batch, refused early if it cannot work.

    Args:
        command: `run` or `backtest`.
        landed: What the lake holds.
        models: The models of each cutoff.
        forecaster: Name of the forecaster for those with jobs.
        horizon: Weeks to forecast.
        max_horizon: The most weeks the warehouse's spine reaches.
        cutoffs: Last weeks to show the models; for `run` one or none, none being the newest.
        last: For `backtest`, how many more cutoffs: the first `step` weeks before the newest
            complete week, each other one as far before the last.
        step: Weeks between them.
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
        requests += [
            CutoffRequest(cutoff_date=None, weeks_back=step * number, kind="backtest")
            for number in range(1, last + 1)
        ]
        if not requests:
            raise UserError(
                "A backtest needs a cutoff.",
                where="backtest",
                fix="Give days with --cutoff, or a number of cutoffs with --last.",
            )
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
                where="--cutoff"
                if request.weeks_back == 0
                else "--last"
                if command == "backtest"
                else "--backtests",
                fix=f"Sales go from {landed.first_date} to {landed.last_date}.",
            )
        if trained is not None:
            check_unseen(trained, asked, trained_by)
    if trained is not None:
        _check_reuse(trained, models, horizon, trained_by)
    return BatchRecord(
        batch_id=new_batch_id(),
        command=command,
        arguments={
            "cutoffs": [cutoff.isoformat() for cutoff in cutoffs],
            "last": last,
            "step": step if last else None,
            "horizon": horizon,
            "models": [model.model_id for model in models],
            "backtests": backtests,
            "trained_model": trained.trained_model_id if trained else None,
        },
        created_at=datetime.now(UTC),
        requests=requests,
        prediction_length=horizon,
        models=[model.model_id for model in models],
        forecaster=forecaster if any(find_recipe(model.recipe).jobs for model in models) else None,
        trained_model_id=trained.trained_model_id if trained else None,
    )


def _ask_for_vintages(
    record: BatchRecord, models: Sequence[Model], lake: Lake, landed: Landed
) -> None:
    """Have what a model learns from forecast at earlier cutoffs too, where it has not been."""
    by_id = {model.model_id: model for model in models}
    members = {
        name: _at_vintages(by_id[name], record, by_id)
        for model in models
        if find_recipe(model.recipe).vintages
        for name in find_recipe(model.recipe).needs(model)
    }
    trained_anew = {name for name, how in members.items() if how == "train"}
    trained_once = {name for name, how in members.items() if how == "reuse"}
    newest = record.requests[0].cutoff_date or landed.last_date
    if not trained_anew | trained_once or newest is None or landed.first_date is None:
        return
    days = {block: newest - timedelta(weeks=VINTAGE_STEP * block) for block in _BLOCKS}
    weeks_before = {block: (day - landed.first_date).days // 7 for block, day in days.items()}
    least = max(_LEAST_HISTORY, record.prediction_length)
    least_to_reuse = max(_LEAST_HISTORY_TO_REUSE, record.prediction_length)
    blocks = {block for block in _BLOCKS if weeks_before[block] >= least}
    long_blocks = {block for block in _BLOCKS if weeks_before[block] >= least_to_reuse}
    # A member with less than half of the past that the others have is not judged.
    if 2 * len(long_blocks) < len(blocks):
        long_blocks = set()
    landed_at = _landed_cutoffs(lake, set(members), newest, record.prediction_length)
    asked = {request.weeks_back for request in record.requests}
    for block in sorted(blocks):
        weeks = VINTAGE_STEP * block
        wanted = trained_anew | (trained_once if block in long_blocks else set())
        in_block = (
            names
            for cutoff, names in landed_at.items()
            if -(-((newest - cutoff).days // 7) // VINTAGE_STEP) == block
        )
        if not wanted or weeks in asked or any(names >= wanted for names in in_block):
            continue
        # The cutoff is the last week that has ended by this day.
        there = [
            names for cutoff, names in landed_at.items() if 0 <= (days[block] - cutoff).days < 7
        ]
        needed = {SNAIVE} | wanted.difference(*there)
        for name in reversed(record.models):
            if name in needed:
                needed |= set(find_recipe(by_id[name].recipe).needs(by_id[name]))
        record.learned_from[weeks] = [name for name in record.models if name in needed]
    record.trained_once = [name for name in record.models if name in trained_once]
    record.requests += [
        CutoffRequest(cutoff_date=record.requests[0].cutoff_date, weeks_back=weeks, kind="backtest")
        for weeks in record.learned_from
    ]


def _landed_cutoffs(
    lake: Lake, names: set[str], newest: date, prediction_length: int
) -> dict[date, set[str]]:
    """Models by the cutoff from which they have forecast all weeks that could be learned from."""
    withdrawn = set(lake.read("withdrawals")["run_id"].to_pylist())
    found: dict[date, set[str]] = {}
    for run in lake.read("runs").to_pylist():
        known_weeks = (newest - run["cutoff_date"]).days // 7
        if (
            run["cutoff_date"] < newest
            and run["model_id"] in names
            and run["run_id"] not in withdrawn
            and run["prediction_length"] >= min(prediction_length, known_weeks)
        ):
            found.setdefault(run["cutoff_date"], set()).add(run["model_id"])
    return found


def _at_vintages(model: Model, record: BatchRecord, by_id: Mapping[str, Model]) -> AtVintages:
    recipe = find_recipe(model.recipe)
    needs = (by_id[name] for name in recipe.needs(model))
    if any(_at_vintages(each, record, by_id) != "train" for each in needs):
        return "skip"
    if recipe.jobs is None:
        return "train"
    # A trained model that the command names has seen the weeks that it would have to forecast.
    is_here = record.forecaster == "local" and record.trained_model_id is None
    return recipe.jobs.at_vintages if is_here else "skip"


def _check_jobs(batch: NewBatch, forecaster: Forecaster) -> None:
    """Refuse a batch before its build if the forecaster would not take its models."""
    for model in batch.models:
        if (jobs := find_recipe(model.recipe).jobs) is not None:
            jobs.check(model, forecaster, batch.record.prediction_length, batch.trained)


def _check_reuse(
    trained: TrainedModel, models: Sequence[Model], horizon: int, named_by: str
) -> None:
    with_jobs = [model.model_id for model in models if find_recipe(model.recipe).jobs]
    if with_jobs != [trained.model_id]:
        raise UserError(
            f"The trained model {trained.trained_model_id} is one of {trained.model_id}, the run "
            f"has {', '.join(with_jobs) or f'no {trained.model_id} model'}.",
            where=named_by,
            fix=f"Give --model {trained.model_id} with it, and no other model that is trained.",
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
