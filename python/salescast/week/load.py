"""The load step: forecasts of any recipe, landed as one file of the lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import RunError
from salescast.lake import LAKE_SCHEMAS, Lake, StagedFile, utc_naive
from salescast.lake.digest import rows_digest_sql
from salescast.problems import N_NAMED, refuse_problems
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.sql_text import file_pattern, quoted_text
from salescast.week.batch import RunRecord
from salescast.week.plausibility import check_chain, find_implausible, need_stand_in

SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True)
class Forecasts:
    """What a recipe hands to the landing: `rows` or `answers`, and `fallback` for the other series.

    Attributes:
        rows: Parquet with a row for each series and week: item_id, horizon_weeks (from 1), mean
            and p05 to p95.
        is_rounded: Whether `rows` are rounded and bounded, as those of a dbt model are; others are
            here.
        answers: Parquet with a row for each series, as `check_output` wrote it; rounded, bounded
            and put in order here.
        items: Parquet with the item_id of each series of `answers`.
        shares_ahead: Parquet of exp_shares_ahead: `answers` are of whole weeks, and what lands is
            their share of it; None if they are of the weeks as they are.
        fallback: Parquet of a dbt model's rows; of its series those land that the model has not
            forecast, those whose forecast is not plausible, and those that have ended (is_ended),
            whatever the model says of them.
        is_partial: Whether series that the model has not forecast are left out instead.
        total_bands: Parquet of how far the quantiles of totals lie from their mean, with the
            columns of the lake table; None if the model has not learned that.
    """

    rows: Path | None = None
    is_rounded: bool = False
    answers: Path | None = None
    items: Path | None = None
    fallback: Path | None = None
    is_partial: bool = False
    total_bands: Path | None = None
    shares_ahead: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is neither, or both."""
        if (self.rows is None) == (self.answers is None):
            raise ValueError("forecasts are either rows or answers")
        if (self.answers is None) != (self.items is None):
            raise ValueError("answers come with their items")

    @property
    def covered(self) -> Path:
        """The file that names the items which the model has forecast."""
        covered = self.rows or self.items
        assert covered is not None
        return covered


@dataclass(frozen=True)
class LandedRun:
    """Size of a landed run; fallback items have the seasonal naive's rows, ended ones zeros.

    So have the closed weeks of closed items.

    `rows_digest` stands for all that the rows hold (salescast.lake.digest).
    Of the fallback items, implausible ones had a forecast beyond anything that they have ever sold.
    The first ones of both are named.
    """

    n_items: int
    n_fallback_items: int
    n_rows: int
    rows_digest: int
    fallback_items: tuple[str, ...] = ()
    n_ended_items: int = 0
    n_implausible_items: int = 0
    implausible_items: tuple[str, ...] = ()
    n_closed_items: int = 0
    n_closed_weeks: int = 0
    n_total_bands: int = 0

    def __str__(self) -> str:
        """One line for the step's detail."""
        text = f"{self.n_items:,} series, {self.n_rows:,} rows"
        if self.n_fallback_items:
            text += f"; {self.n_fallback_items:,} by the seasonal naive: "
            text += _named(self.fallback_items, self.n_fallback_items)
        if self.n_implausible_items:
            text += f"; {self.n_implausible_items:,} of them forecast beyond anything ever sold: "
            text += _named(self.implausible_items, self.n_implausible_items)
        if self.n_ended_items:
            text += f"; {self.n_ended_items:,} ended, forecast as 0 (reports.rpt_ended_series)"
        if self.n_closed_items:
            text += (
                f"; {self.n_closed_items:,} closed for a time, {self.n_closed_weeks:,} weeks as 0"
            )
        return text


def _named(items: tuple[str, ...], n_items: int) -> str:
    return ", ".join(items) + (", …" if n_items > len(items) else "")


def land_run(
    lake: Lake,
    run: RunRecord,
    forecasts: Forecasts,
    *,
    batch_id: str,
    lower_bound: float | None,
    facts: Mapping[str, Any],
    fallback_list: Path,
    series: Path | None = None,
    plausible_range: Path | None = None,
    closed_weeks: Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> LandedRun:
    """Check a run's forecasts and land them, then the run's own row; does nothing twice.

    The list of the fallback's series lands before the forecasts: a resume takes the same ones.

    Args:
        lake: Where to land.
        run: The run.
        forecasts: Its forecasts.
        batch_id: The batch of the run.
        lower_bound: Forecasts below it are raised to it; None for no bound.
        facts: Columns of `runs` that only the caller knows: forecaster, seed, hyperparameters,
            code_version.
        fallback_list: File to write that names the series with the fallback's rows.
        series: Parquet of exp_series at the cutoff, for the keys and the treatment of each row;
            None to land rows without them.
        plausible_range: Parquet of exp_plausible_range at the cutoff; None to believe any forecast.
        closed_weeks: Parquet of exp_closed_weeks at the cutoff, whose weeks land as 0 whatever the
            model says; None to land all as they are.
        config: DuckDB's settings.

    Raises:
        RunError: A check failed; names the series.
    """
    connection = duckdb.connect(":memory:", config=dict(config or {}))
    try:
        _find_ended(connection, forecasts)
        _find_closed(connection, closed_weeks)
        # A kill between the files leaves forecasts without their run; they stand as they are.
        if not lake.has_file("forecasts", run.run_id):
            rows, parameters = _model_rows(run, forecasts, lower_bound)
            _choose_fallback(connection, lake, run, forecasts, rows, parameters, plausible_range)
            staged = _stage(connection, lake, run, forecasts, rows, parameters, series)
            try:
                _check_rows(connection, staged, run)
                if plausible_range is not None:
                    check_chain(connection, staged.path, plausible_range, run)
                _land_fallback(connection, lake, run)
                _land_total_bands(connection, lake, run, forecasts.total_bands)
            except RunError:
                staged.discard()
                raise
            staged.publish()
        landed = replace(
            _measure(connection, lake, run, fallback_list),
            n_total_bands=_count_total_bands(connection, lake, run),
        )
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
                    "rows_digest": landed.rows_digest,
                    "n_total_bands": landed.n_total_bands,
                }
            ],
            name=run.run_id,
        )
    return landed


def _find_ended(connection: duckdb.DuckDBPyConnection, forecasts: Forecasts) -> None:
    """Make the temporary table of the series that have ended."""
    # Rows of another dbt model may do without is_ended.
    connection.execute(
        """
        create temp table ended_items as
        select distinct item_id
        from (
            from read_parquet(?)
            union all by name
            select null::varchar as item_id, false as is_ended where false
        )
        where is_ended
        """,
        [file_pattern(forecasts.fallback or forecasts.covered)],
    )
    if forecasts.is_partial:
        connection.execute(
            "delete from ended_items where item_id not in (select item_id from read_parquet(?))",
            [file_pattern(forecasts.covered)],
        )


def _find_closed(connection: duckdb.DuckDBPyConnection, closed_weeks: Path | None) -> None:
    """Make the temporary table of the weeks ahead in which series are closed."""
    connection.execute("create temp table closed_weeks (item_id varchar, horizon_weeks integer)")
    if closed_weeks is not None:
        connection.execute(
            """
            insert into closed_weeks
            select item_id, horizon_weeks from read_parquet(?)
            where item_id not in (select item_id from ended_items)
            """,
            [file_pattern(closed_weeks)],
        )


def _model_rows(
    run: RunRecord, forecasts: Forecasts, lower_bound: float | None
) -> tuple[str, dict[str, Any]]:
    """A select of the rows that the model made, and its parameters."""
    parameters: dict[str, Any] = {"cutoff": run.cutoff_date}
    if forecasts.rows is not None:
        rows = _dbt_rows("$rows") if forecasts.is_rounded else _computed_rows(lower_bound)
        return rows, parameters | {"rows": file_pattern(forecasts.rows)}
    assert forecasts.answers is not None
    parameters |= {"n": run.prediction_length, "answers": file_pattern(forecasts.answers)}
    shares = "select null::varchar as item_id, null::integer as horizon_weeks, 1.0 as week_share"
    if forecasts.shares_ahead is not None:
        shares = "select item_id, horizon_weeks, week_share from read_parquet($shares)"
        parameters |= {"shares": file_pattern(forecasts.shares_ahead)}
    return _answered_rows(shares, lower_bound), parameters


def _choose_fallback(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    run: RunRecord,
    forecasts: Forecasts,
    rows: str,
    parameters: Mapping[str, Any],
    plausible_range: Path | None,
) -> None:
    """Put the series that take the fallback's rows, and why, into the table `fallback_items`."""
    connection.execute("create temp table fallback_items as " + _no_rows(lake))
    if lake.has_file("fallback_items", run.run_id):
        connection.execute(
            "insert into fallback_items by name from read_parquet(?)",
            [file_pattern(lake.file("fallback_items", run.run_id))],
        )
        return
    if forecasts.fallback is not None and not forecasts.is_partial:
        connection.execute(
            """
            insert into fallback_items by name
            select distinct $run_id as run_id, item_id, 'not_forecast' as reason
            from read_parquet($fallback)
            where item_id not in (select item_id from read_parquet($items))
                and item_id not in (select item_id from ended_items)
            """,
            {
                "run_id": run.run_id,
                "fallback": file_pattern(forecasts.fallback),
                "items": file_pattern(forecasts.covered),
            },
        )
    if plausible_range is not None:
        find_implausible(connection, rows, parameters, plausible_range, run)
        connection.execute(
            """
            insert into fallback_items by name
            select $run_id as run_id, item_id, 'implausible' as reason, largest_forecast,
                largest_plausible
            from implausible
            where item_id not in (select item_id from ended_items)
            """,
            {"run_id": run.run_id},
        )
        need_stand_in(connection, forecasts.fallback, run)


def _no_rows(lake: Lake) -> str:
    return f"select * from ({lake.scan_sql('fallback_items')}) limit 0"


def _land_fallback(connection: duckdb.DuckDBPyConnection, lake: Lake, run: RunRecord) -> None:
    query = "select * exclude (schema_version) from fallback_items order by item_id"
    has_rows = connection.execute("select exists (from fallback_items)").fetchone() == (True,)
    if has_rows and not lake.has_file("fallback_items", run.run_id):
        lake.append_query(connection, "fallback_items", query, name=run.run_id)


def _land_total_bands(
    connection: duckdb.DuckDBPyConnection, lake: Lake, run: RunRecord, bands: Path | None
) -> None:
    if bands is None or lake.has_file("total_bands", run.run_id):
        return
    names = [name for name in LAKE_SCHEMAS["total_bands"] if name != "schema_version"]
    query = f"""
        select {", ".join(names)} from read_parquet($bands)
        order by level, item_id, horizon_weeks
    """
    parameters = {"bands": file_pattern(bands)}
    lake.append_query(connection, "total_bands", query, parameters, name=run.run_id)


def _count_total_bands(connection: duckdb.DuckDBPyConnection, lake: Lake, run: RunRecord) -> int:
    if not lake.has_file("total_bands", run.run_id):
        return 0
    landed = file_pattern(lake.file("total_bands", run.run_id))
    row = connection.execute("select count(*) from read_parquet(?)", [landed]).fetchone()
    assert row is not None
    return int(row[0])


def _stage(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    run: RunRecord,
    forecasts: Forecasts,
    rows: str,
    parameters: Mapping[str, Any],
    series: Path | None,
) -> StagedFile:
    """Write the run's rows to a file of the lake that no reader sees yet."""
    known = "select null as item_id, null as store_id, null as department_id, null as treatment"
    if series is not None:
        parameters = {**parameters, "series": file_pattern(series)}
        known = "select item_id, store_id, department_id, treatment from read_parquet($series)"
    parameters = {**parameters, "run_id": run.run_id, "model_id": run.model_id}
    if forecasts.fallback is not None:
        parameters["fallback"] = file_pattern(forecasts.fallback)
        rows = f"""
            with others as (
                select item_id from fallback_items
                union
                select item_id from ended_items
            )
            select * from ({rows}) where item_id not in (select item_id from others)
            union all
            {_dbt_rows("$fallback")} where item_id in (select item_id from others)
        """
    values = ", ".join(
        f"if(closed_weeks.item_id is null, {column}, 0.0) as {column}"
        for column in ("mean", *QUANTILE_COLUMNS)
    )
    return lake.stage_query(
        connection,
        "forecasts",
        f"""
        select
            $run_id as run_id, $model_id as model_id, cast($cutoff as date) as cutoff_date,
            rows.* replace ({values}),
            known.store_id, known.department_id,
            if(fallback_items.item_id is null, known.treatment, 'fallback') as treatment
        from ({rows}) as rows
        left join ({known}) as known using (item_id)
        left join fallback_items using (item_id)
        left join closed_weeks using (item_id, horizon_weeks)
        order by item_id, horizon_weeks
        """,
        parameters,
        name=run.run_id,
    )


_KEY = """
    item_id,
    cast($cutoff + cast(7 * horizon_weeks as integer) as date) as week_end_date,
    horizon_weeks
"""


def _dbt_rows(path: str) -> str:
    return f"select {_KEY}, mean, {', '.join(QUANTILE_COLUMNS)} from read_parquet({path})"


def _computed_rows(lower_bound: float | None) -> str:
    values = ", ".join(
        f"{_landed_value(column, lower_bound)} as {column}"
        for column in ("mean", *QUANTILE_COLUMNS)
    )
    return f"select {_KEY}, {values} from read_parquet($rows)"


def _answered_rows(shares: str, lower_bound: float | None) -> str:
    values = ", ".join(
        f"{_landed_value(f'sorted[{n}] * week_share', lower_bound)} as {column}"
        for n, column in enumerate(QUANTILE_COLUMNS, start=1)
    )
    return f"""
        select {_KEY}, {_landed_value("mean * week_share", lower_bound)} as mean, {values}
        from (
            select
                item_id,
                horizon_weeks,
                coalesce(shares.week_share, 1.0::double) as week_share,
                mean[horizon_weeks] as mean,
                list_sort([q[horizon_weeks] for q in quantiles]) as sorted
            from read_parquet($answers)
            cross join (
                select unnest(range(1, $n + 1))::integer as horizon_weeks
            )
            left join ({shares}) as shares using (item_id, horizon_weeks)
        )
    """


def _landed_value(value: str, lower_bound: float | None) -> str:
    rounded = f"cast(format('{{:.{SIGNIFICANT_DIGITS}g}}', {value}) as double)"
    if lower_bound is None:
        return rounded
    # greatest() passes over null and hides -inf, which _check_rows must see.
    return f"if(isfinite({value}), greatest({rounded}, {lower_bound!r}::double), {value})"


def _check_rows(connection: duckdb.DuckDBPyConnection, staged: StagedFile, run: RunRecord) -> None:
    """Refuse rows of any recipe that readers could not rely on."""
    if staged.n_rows == 0:
        raise RunError(
            f"{run.model_id} has no forecast of any series at {run.cutoff_date}.",
            where=run.run_id,
            fix="Nothing was landed. Look at what its relation or its rows hold; then run again.",
        )
    numbers = ", ".join(("mean", *QUANTILE_COLUMNS))
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
            where [{", ".join(QUANTILE_COLUMNS)}] <> list_sort([{", ".join(QUANTILE_COLUMNS)}])
        )
        select problem, item_id, null from problems
        """,
        {"path": file_pattern(staged.path), "n": run.prediction_length},
        where=run.run_id,
        fix="Nothing was landed. Look at the models of models/baselines; then run again.",
    )


def _measure(
    connection: duckdb.DuckDBPyConnection, lake: Lake, run: RunRecord, listing: Path
) -> LandedRun:
    """Count the landed rows, and list the fallback's series beside the run's logs."""
    row = connection.execute(
        f"""
        select
            count(distinct item_id),
            count(*),
            {rows_digest_sql("forecasts")},
            count(distinct item_id) filter (where item_id in (select item_id from ended_items)),
            count(distinct item_id) filter (where is_closed),
            count(*) filter (where is_closed)
        from read_parquet(?) as forecasts
        left join (select *, true as is_closed from closed_weeks) using (item_id, horizon_weeks)
        """,
        [file_pattern(lake.file("forecasts", run.run_id))],
    ).fetchone()
    assert row is not None
    n_items, n_rows, rows_digest, n_ended, n_closed_items, n_closed_weeks = row
    if not lake.has_file("fallback_items", run.run_id):
        return LandedRun(
            n_items,
            0,
            n_rows,
            rows_digest,
            n_ended_items=n_ended,
            n_closed_items=n_closed_items,
            n_closed_weeks=n_closed_weeks,
        )
    landed = file_pattern(lake.file("fallback_items", run.run_id))
    named = connection.execute(
        """
        select
            list(item_id order by item_id),
            coalesce(list(item_id order by item_id) filter (where reason = 'implausible'), [])
        from read_parquet(?)
        """,
        [landed],
    ).fetchone()
    assert named is not None
    fallback, implausible = named
    listing.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"""
        copy (
            select item_id, reason, largest_forecast, largest_plausible from read_parquet(?)
            order by item_id
        ) to {quoted_text(str(listing))} (format csv, header)
        """,
        [landed],
    )
    return LandedRun(
        n_items,
        len(fallback),
        n_rows,
        rows_digest,
        tuple(fallback[:N_NAMED]),
        n_ended,
        len(implausible),
        tuple(implausible[:N_NAMED]),
        n_closed_items,
        n_closed_weeks,
    )
