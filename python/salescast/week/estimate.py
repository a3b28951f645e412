"""What a batch would send and cost, before anything of it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from salescast.errors import UserError
from salescast.forecaster import Forecaster, Limits, Use, open_forecaster
from salescast.lake import Lake, open_lake
from salescast.recipes import Model, find_recipe
from salescast.warehouse import LandedSeries, Warehouse, open_warehouse
from salescast.warehouse.landed import count_known_future, count_landed_rows
from salescast.week.plan import Asked, NewBatch, check_ready, plan_batch

if TYPE_CHECKING:
    from salescast.settings import Settings

# Measured on the exports of the simulated chain: sales with cents, features mostly counts.
_BYTES_A_LINE = 80
_BYTES_A_TARGET = 8.5
_BYTES_A_FEATURE = 3.5
_GZIPPED_BYTES_A_WEEK = 6.5
_CALENDAR_FEATURES = 20
"""Events, days before events and waves of the year, for a region of the seed."""


@dataclass(frozen=True)
class PlannedJob:
    """One job: what it would be sent, estimated, and its limits; None where nothing is billed."""

    use: Use
    model_id: str
    cutoff_date: date
    n_series: int
    estimated_bytes: int
    limits: Limits | None


@dataclass(frozen=True)
class Estimate:
    """A batch before it is started.

    Attributes:
        command: `run` or `backtest`.
        landed_rows: Rows landed, by table.
        cutoffs: The cutoffs, as near as they are known before a build, with their series.
        prediction_length: Weeks to forecast.
        models: Models of the runs; at cutoffs that are only there to learn from some of them run.
        n_runs: Runs of the batch.
        jobs: The jobs, in their order.
        max_attempts: Times a job is started at most; again only after a fault of AWS itself.
        price_table: File of the prices; None where nothing is billed.
        usd_per_tb_scanned: Athena's price, which no limit bounds; None on another engine.
        refusal: What must be set or installed before the jobs can start; None if nothing.
    """

    command: str
    landed_rows: Mapping[str, int]
    cutoffs: Sequence[LandedSeries]
    prediction_length: int
    models: Sequence[str]
    n_runs: int
    jobs: Sequence[PlannedJob]
    max_attempts: int
    price_table: str | None
    usd_per_tb_scanned: float | None
    refusal: str | None

    @property
    def max_usd(self) -> float | None:
        """The longest bill of the jobs' machines, each started once; None if a price is unknown."""
        bills = [job.limits.max_usd for job in self.jobs if job.limits]
        known = [bill for bill in bills if bill is not None]
        return sum(known) if len(known) == len(bills) else None


def estimate_batch(settings: Settings, asked: Asked) -> Estimate:
    """What a command would start; starts nothing, writes nothing and holds no lock.

    Args:
        settings: The settings.
        asked: The options of the command.

    Raises:
        UserError: The command asks for what cannot be, or the table of prices is broken.
    """
    lake = open_lake(settings)
    warehouse = open_warehouse(settings)
    landed = warehouse.landed()
    batch = plan_batch(settings, lake, landed, asked)
    assert landed.last_date is not None
    cutoffs = _count_series(warehouse, batch, landed.last_date)
    runs = [(series, model) for series in cutoffs for model in _models_at(batch, series, cutoffs)]
    forecaster = open_forecaster(settings)
    price_table = forecaster.price_table
    return Estimate(
        command=asked.command,
        landed_rows=count_landed_rows(lake),
        cutoffs=cutoffs,
        prediction_length=batch.record.prediction_length,
        models=[model.model_id for model in batch.models],
        n_runs=len(runs),
        jobs=_plan_jobs(batch, runs, _n_features(batch, lake), forecaster),
        max_attempts=forecaster.max_attempts,
        price_table=None if price_table is None else str(price_table),
        usd_per_tb_scanned=settings.athena_price_per_tb if settings.target == "athena" else None,
        refusal=_refusal(settings, batch),
    )


def _refusal(settings: Settings, batch: NewBatch) -> str | None:
    """Told, not raised: what it would cost is asked before there is a role to work with."""
    try:
        check_ready(settings, batch)
    except UserError as error:
        return str(error)
    return None


def _count_series(warehouse: Warehouse, batch: NewBatch, last_date: date) -> list[LandedSeries]:
    """The series of each cutoff; the newest complete week is taken to end with the sales."""
    cutoffs = {
        (request.cutoff_date or last_date) - timedelta(weeks=request.weeks_back)
        for request in batch.record.requests
    }
    return warehouse.landed_series(sorted(cutoffs))


def _n_features(batch: NewBatch, lake: Lake) -> int:
    if batch.trained is not None:
        return len(batch.trained.features)
    return _CALENDAR_FEATURES + count_known_future(lake)


def _models_at(
    batch: NewBatch, series: LandedSeries, cutoffs: Sequence[LandedSeries]
) -> list[Model]:
    newest = max(each.cutoff_date for each in cutoffs)
    names = batch.record.models_at(series.cutoff_date, newest)
    return [model for model in batch.models if model.model_id in names]


def _plan_jobs(
    batch: NewBatch,
    runs: Sequence[tuple[LandedSeries, Model]],
    n_features: int,
    forecaster: Forecaster,
) -> list[PlannedJob]:
    horizon = batch.record.prediction_length
    return [
        PlannedJob(
            use=use,
            model_id=model.model_id,
            cutoff_date=series.cutoff_date,
            n_series=series.n_series,
            estimated_bytes=_estimate_bytes(use, series, n_features, horizon),
            limits=forecaster.limits(use),
        )
        for series, model in runs
        for use in _uses(series.cutoff_date, model, batch, runs)
    ]


def _uses(
    cutoff: date, model: Model, batch: NewBatch, runs: Sequence[tuple[LandedSeries, Model]]
) -> list[Use]:
    jobs = find_recipe(model.recipe).jobs
    if jobs is None:
        return []
    cutoffs = [series.cutoff_date for series, each in runs if each is model]
    newest = max(series.cutoff_date for series, _ in runs)
    lending = batch.record.lending_cutoff(model.model_id, cutoff, cutoffs, newest)
    trains = batch.trained is None and lending is None
    return [use for use in jobs.uses if use != "training" or trains]


def _estimate_bytes(use: Use, series: LandedSeries, n_features: int, horizon: int) -> int:
    """Bytes of a job's records: gzipped to train on, plain and with the horizon to forecast."""
    if use == "training":
        return round(_GZIPPED_BYTES_A_WEEK * series.n_weeks)
    n_values = n_features * (series.n_weeks + horizon * series.n_series)
    return round(
        _BYTES_A_LINE * series.n_series
        + _BYTES_A_TARGET * series.n_weeks
        + _BYTES_A_FEATURE * n_values
    )
