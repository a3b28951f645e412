"""The load step: forecasts of any recipe, landed as one file of the lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from salescast.batch import RunRecord
from salescast.errors import RunError
from salescast.export import RunFiles
from salescast.forecaster import QUANTILES
from salescast.lake import Lake, StagedFile, utc_naive
from salescast.problems import N_NAMED, refuse_problems

SIGNIFICANT_DIGITS = 6
_COLUMNS = tuple(f"p{round(float(level) * 100):02d}" for level in QUANTILES)


@dataclass(frozen=True)
class LandedRun:
    """Size of a landed run; fallback items have the seasonal naive's rows."""

    n_items: int
    n_fallback_items: int
    n_rows: int
    fallback_items: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for the step's detail."""
        text = f"{self.n_items:,} series, {self.n_rows:,} rows"
        if self.n_fallback_items:
            more = ", …" if self.n_fallback_items > len(self.fallback_items) else ""
            text += (
                f"; {self.n_fallback_items:,} by the seasonal naive: "
                + ", ".join(self.fallback_items)
                + more
            )
        return text


def land_run(
    lake: Lake,
    run: RunRecord,
    files: RunFiles,
    *,
    batch_id: str,
    lower_bound: float | None,
    facts: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
) -> LandedRun:
    """Check a run's forecasts and land them, then the run's own row; does nothing twice.

    Args:
        lake: Where to land.
        run: The run.
        files: Its checked forecasts (deepar) and the seasonal naive's rows (sql, and fallback of
            deepar).
        batch_id: The batch of the run.
        lower_bound: Forecasts below it are raised to it; None for no bound.
        facts: Columns of `runs` that only the caller knows: forecaster, seed, hyperparameters,
            code_version.
        config: DuckDB's settings.

    Raises:
        RunError: A check failed; names the series.
    """
    connection = duckdb.connect(":memory:", config=dict(config or {}))
    try:
        if run.recipe == "deepar":
            connection.execute(
                "create temp table forecast_by_model as select item_id from read_parquet(?)",
                [str(files.inference_items)],
            )
        else:
            connection.execute(
                "create temp table forecast_by_model as "
                "select distinct item_id from read_parquet(?)",
                [str(files.baseline)],
            )
        # A kill between the two files leaves forecasts without their run; they stand as they are.
        if not lake.has_file("forecasts", run.run_id):
            staged = _stage(connection, lake, run, files, lower_bound)
            try:
                _check_rows(connection, staged.path, run)
            except RunError:
                staged.discard()
                raise
            staged.publish()
        landed = _measure(connection, lake, run, files.work / "fallback_items.csv")
    finally:
        connection.close()
    if not lake.has_file("runs", run.run_id):
        lake.append(
            "runs",
            [
                {
                    **run.model_dump(),
                    **facts,
                    "batch_id": batch_id,
                    "n_items": landed.n_items,
                    "n_fallback_items": landed.n_fallback_items,
                    "n_rows": landed.n_rows,
                    "landed_at": utc_naive(datetime.now(UTC)),
                }
            ],
            name=run.run_id,
        )
    return landed


def _stage(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    run: RunRecord,
    files: RunFiles,
    lower_bound: float | None,
) -> StagedFile:
    """Write the run's rows to a file of the lake that no reader sees yet."""
    values = ", ".join(
        f"{_landed_value(f'sorted[{n}]', lower_bound)} as {column}"
        for n, column in enumerate(_COLUMNS, start=1)
    )
    own_columns = (
        "cast($cutoff + cast(7 * horizon_weeks as integer) as date) as week_end_date, horizon_weeks"
    )
    from_baseline = f"""
        select item_id, {own_columns}, mean, {", ".join(_COLUMNS)}
        from read_parquet($baseline)
    """
    if run.recipe == "sql":
        rows = from_baseline
    else:
        rows = f"""
            select item_id, {own_columns}, {_landed_value("mean", lower_bound)} as mean, {values}
            from (
                select
                    item_id,
                    horizon_weeks,
                    mean[horizon_weeks] as mean,
                    list_sort([q[horizon_weeks] for q in quantiles]) as sorted
                from read_parquet($forecasts)
                cross join (
                    select unnest(range(1, $n + 1))::integer as horizon_weeks
                )
            )
            union all
            {from_baseline}
            where item_id not in (select item_id from forecast_by_model)
        """
    parameters: dict[str, Any] = {
        "run_id": run.run_id,
        "model_id": run.model_id,
        "cutoff": run.cutoff_date,
        "baseline": str(files.baseline),
    }
    if run.recipe == "deepar":
        parameters |= {"n": run.prediction_length, "forecasts": str(files.forecasts)}
    return lake.stage_query(
        connection,
        "forecasts",
        f"""
        select
            $run_id as run_id, $model_id as model_id, cast($cutoff as date) as cutoff_date, rows.*
        from ({rows}) as rows
        order by item_id, horizon_weeks
        """,
        parameters,
        name=run.run_id,
    )


def _landed_value(value: str, lower_bound: float | None) -> str:
    rounded = f"cast(format('{{:.{SIGNIFICANT_DIGITS}g}}', {value}) as double)"
    if lower_bound is None:
        return rounded
    # greatest() passes over null and hides -inf, which _check_rows must see.
    return f"if(isfinite({value}), greatest({rounded}, {lower_bound!r}::double), {value})"


def _check_rows(connection: duckdb.DuckDBPyConnection, path: Path, run: RunRecord) -> None:
    """Refuse rows of any recipe that readers could not rely on."""
    numbers = ", ".join(("mean", *_COLUMNS))
    refuse_problems(
        connection,
        f"""
        with landed as (select * from read_parquet($path)),
        problems as (
            select item_id, 'not one row for each week of the horizon' as problem from landed
            group by item_id
            having count(*) <> $n or count(distinct horizon_weeks) <> $n
                or min(horizon_weeks) <> 1 or max(horizon_weeks) <> $n
            union all
            select distinct item_id, 'a number that is missing or not finite' from landed
            where list_bool_or([coalesce(not isfinite(x), true) for x in [{numbers}]])
            union all
            select distinct item_id, 'quantiles that cross' from landed
            where [{", ".join(_COLUMNS)}] <> list_sort([{", ".join(_COLUMNS)}])
        )
        select problem, item_id, null from problems
        """,
        {"path": str(path), "n": run.prediction_length},
        where=run.run_id,
        fix="Nothing was landed. Look at the models of models/baselines; then run again.",
    )


def _measure(
    connection: duckdb.DuckDBPyConnection, lake: Lake, run: RunRecord, listing: Path
) -> LandedRun:
    """Count the landed rows, and list the fallback's series beside the run's logs."""
    path = str(lake.file("forecasts", run.run_id))
    row = connection.execute(
        """
        select
            count(distinct item_id),
            count(*),
            list(distinct item_id order by item_id) filter (
                where item_id not in (select item_id from forecast_by_model)
            )
        from read_parquet(?)
        """,
        [path],
    ).fetchone()
    assert row is not None
    n_items, n_rows, fallback = row[0], row[1], row[2] or []
    if fallback:
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("item_id\n" + "\n".join(fallback) + "\n", encoding="utf-8")
    return LandedRun(n_items, len(fallback), n_rows, tuple(fallback[:N_NAMED]))
