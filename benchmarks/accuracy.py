"""Accuracy of a landed backtest, from the published marts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from measure import Bench

from salescast.marts.measures import fact_sums, measure_columns

NEAR_CUTOFF, NEAR_HORIZON = date(2012, 7, 27), 13
FAR_CUTOFF, FAR_HORIZON = date(2012, 1, 27), 39
FAR_LEAST_WEEKS = 79
CHRISTMAS_CUTOFF, CHRISTMAS_HORIZON = date(2011, 10, 28), 39
NAIVE_WAPE_FAR = 0.1132


LEAD_BANDS = ((1, 4), (5, 8), (9, 13), (14, 26), (27, 39))
"""First and last week ahead of each lead band."""

_SCORED = """
    scored as (
        select compared.*
        from salescast_marts.fct_forecast_vs_actual as compared
        inner join salescast_marts.dim_forecast_run as runs
            on compared.run_id = runs.run_id
        inner join salescast_marts.dim_series as series
            on compared.item_id = series.item_id
        where
            runs.is_current
            and runs.kind = 'backtest'
            and runs.model_id = $model
            and runs.cutoff_date = $cutoff
            and series.n_observed >= $least_weeks
            and compared.actual is not null
    )
"""


@dataclass(frozen=True)
class Score:
    """Errors of one model at one cutoff; ratios of sums over rows with an actual."""

    n_series: int
    n_rows: int
    wape: float
    wql: float
    coverage: float
    last_value_wape: float


def backtest(bench: Bench, cutoff: date, horizon: int, model: str) -> None:
    """Make a model's backtest on a home that has landed sales."""
    bench.salescast(
        "backtest", "--cutoff", str(cutoff), "--horizon", str(horizon), "--model", model
    )


def score(home: Path, model: str, cutoff: date, *, least_weeks: int = 1) -> Score:
    """Score a model's current run.

    Args:
        home: Home with published marts.
        model: The model_id.
        cutoff: The cutoff_date.
        least_weeks: Score only series with so many observed weeks in all of the data, later ones
            included: a filter of the evaluation, never of what a model sees.

    Returns:
        The errors; `last_value_wape` is of repeating the last sale seen at the cutoff.
    """
    connection = duckdb.connect(str(home / "marts.duckdb"), read_only=True)
    try:
        row = connection.execute(
            f"""
            with
            {_SCORED},
            last_seen as (
                select item_id, max_by(sales, week_end_date) as sales
                from salescast_marts.fct_weekly_sales
                where is_observed and week_end_date <= $cutoff
                group by 1
            ),
            sums as (
                select
                    count(distinct scored.item_id) as n_series,
                    count(*) as n_rows,
                    sum(abs(actual - last_seen.sales)) as sum_abs_error_of_last,
                    {fact_sums("wape", "wql_3", "coverage")}
                from scored
                inner join last_seen on scored.item_id = last_seen.item_id
            )
            select
                n_series, n_rows, {measure_columns("wape", "wql_3", "coverage")},
                sum_abs_error_of_last / sum_abs_actual
            from sums
            """,
            {"model": model, "cutoff": cutoff, "least_weeks": least_weeks},
        ).fetchone()
    finally:
        connection.close()
    assert row is not None
    return Score(*row)


@dataclass(frozen=True)
class BandScore:
    """Errors of one model at one cutoff in the weeks `first` to `last` ahead."""

    first: int
    last: int
    n_rows: int
    wape: float
    wql_9: float
    coverage: float
    bias: float


def score_by_lead(
    home: Path,
    model: str,
    cutoff: date,
    *,
    least_weeks: int = 1,
    bands: Sequence[tuple[int, int]] = LEAD_BANDS,
) -> list[BandScore]:
    """Score a model's current run by lead band, those bands that it has rows of.

    Args:
        home: Home with published marts.
        model: The model_id.
        cutoff: The cutoff_date.
        least_weeks: As in `score`.
        bands: First and last week ahead of each; they may overlap.
    """
    measures = ("wape", "wql_9", "coverage", "bias")
    values = ", ".join(f"({first}, {last})" for first, last in bands)
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            f"""
            with
            {_SCORED},
            sums as (
                select bands.first, bands.last, count(*) as n_rows, {fact_sums(*measures)}
                from scored
                inner join (values {values}) as bands (first, last)
                    on scored.horizon_weeks between bands.first and bands.last
                group by 1, 2
            )
            select first, last, n_rows, {measure_columns(*measures)} from sums order by 1, 2
            """,
            {"model": model, "cutoff": cutoff, "least_weeks": least_weeks},
        ).fetchall()
    return [BandScore(*row) for row in rows]


def run_facts(home: Path, model: str, cutoff: date) -> dict[str, Any]:
    """What a model's current run was made of: hash of its data, version of the code, settings."""
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as connection:
        row = connection.execute(
            """
            select data_hash, code_version, hyperparameters, n_items, n_fallback_items
            from salescast_marts.dim_forecast_run
            where is_current and kind = 'backtest' and model_id = $model and cutoff_date = $cutoff
            """,
            {"model": model, "cutoff": cutoff},
        ).fetchone()
    assert row is not None
    names = ("data_hash", "code_version", "hyperparameters", "n_items", "n_fallback_items")
    facts = dict(zip(names, row, strict=True))
    return {**facts, "hyperparameters": json.loads(facts["hyperparameters"] or "{}")}
