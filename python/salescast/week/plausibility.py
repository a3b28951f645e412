"""Forecasts beyond anything that was ever sold: found before they land.

What is plausible stands in exp_plausible_range, from sales up to the cutoff. A few implausible
series are errors of a model, and other rows stand in for them; many are a model that is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import RunError
from salescast.problems import N_NAMED
from salescast.quantiles import QUANTILE_COLUMNS
from salescast.sql_text import file_pattern
from salescast.week.batch import RunRecord

MOST_SERIES = 0.05
"""Share of its series that a model may be wrong about."""

MOST_SALES = 0.2
"""Share of what was sold, by the highest week of each series, that it may be wrong about."""

FEW_SERIES = 4
"""So many series may be wrong in any chain, however small it is."""

_FIX = (
    "Nothing was landed. Look at the model's training log in the run's work folder, and at the "
    "sales of these series. Then other hyperparameters (a lower learning_rate) in a new batch, or "
    "forecasts without this model: salescast run --model snaive_52."
)


def find_implausible(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    parameters: Mapping[str, Any],
    ranges: Path,
    run: RunRecord,
) -> None:
    """Put the series with an implausible forecast into the temporary table `implausible`.

    Args:
        connection: Where the table is made: item_id, largest_forecast and largest_plausible.
        rows: Select of a model's rows: item_id, horizon_weeks, mean and the quantiles.
        parameters: Values of its named parameters.
        ranges: Parquet of exp_plausible_range at the run's cutoff.
        run: The run, for the message.

    Raises:
        RunError: So many are implausible that the model is broken.
    """
    values = ", ".join(f"abs({column})" for column in ("mean", *QUANTILE_COLUMNS))
    connection.execute(
        f"""
        create or replace temp table judged as
        select
            ranges.item_id,
            ranges.highest_sales,
            forecasts.largest_forecast,
            ranges.largest_plausible,
            -- What is not finite is refused by a check of its own.
            isfinite(forecasts.largest_forecast)
            and forecasts.largest_forecast > ranges.largest_plausible as is_implausible
        from (
            select item_id, max(greatest({values})) as largest_forecast from ({rows})
            group by item_id
        ) as forecasts
        inner join read_parquet($ranges) as ranges on forecasts.item_id = ranges.item_id
        """,
        {**parameters, "ranges": file_pattern(ranges)},
    )
    connection.execute(
        """
        create or replace temp table implausible as
        select item_id, largest_forecast, largest_plausible from judged where is_implausible
        """
    )
    row = connection.execute(
        """
        select
            count(*) filter (where is_implausible),
            count(*),
            coalesce(sum(highest_sales) filter (where is_implausible), 0),
            coalesce(sum(highest_sales), 0),
            list(item_id order by item_id) filter (where is_implausible)
        from judged
        """
    ).fetchone()
    assert row is not None
    n_implausible, n_series, sales_implausible, sales, names = row
    is_broken = n_implausible > max(FEW_SERIES, MOST_SERIES * n_series) or (
        n_implausible > 1 and sales_implausible > MOST_SALES * sales
    )
    if is_broken:
        more = ", …" if n_implausible > N_NAMED else ""
        raise RunError(
            f"The forecasts of {run.model_id} at {run.cutoff_date} are not plausible: those of "
            f"{n_implausible:,} of {n_series:,} series are far beyond anything that these have "
            f"ever sold ({', '.join(names[:N_NAMED])}{more}).",
            where=run.run_id,
            fix=_FIX,
        )


def need_stand_in(
    connection: duckdb.DuckDBPyConnection, fallback: Path | None, run: RunRecord
) -> None:
    """Refuse a run with an implausible series that has no other rows to land.

    Args:
        connection: Where the table `fallback_items` is.
        fallback: Parquet of the rows that stand in; None if nothing does.
        run: The run, for the message.

    Raises:
        RunError: Such series; names the first of them.
    """
    others = (
        "select item_id from read_parquet($fallback)" if fallback else "select null where false"
    )
    row = connection.execute(
        f"""
        select count(*), list(item_id order by item_id) from fallback_items
        where reason = 'implausible' and item_id not in ({others})
        """,
        {"fallback": file_pattern(fallback)} if fallback else {},
    ).fetchone()
    assert row is not None
    n_items, items = row
    if n_items:
        more = ", …" if n_items > N_NAMED else ""
        raise RunError(
            f"The forecasts of {run.model_id} at {run.cutoff_date} are not plausible: those of "
            f"{n_items:,} series are far beyond anything that these have ever sold, and nothing "
            f"stands in for them ({', '.join(items[:N_NAMED])}{more}).",
            where=run.run_id,
            fix=_FIX,
        )


def check_chain(
    connection: duckdb.DuckDBPyConnection, landing: Path, ranges: Path, run: RunRecord
) -> None:
    """Refuse rows whose total is far beyond anything that the chain has sold.

    Args:
        connection: Where the query runs.
        landing: Parquet of the rows that are to land, those of the fallback with them.
        ranges: Parquet of exp_plausible_range at the run's cutoff.
        run: The run, for the message.

    Raises:
        RunError: A week of the chain is too large.
    """
    row = connection.execute(
        """
        with weeks as (
            select sum(mean) as mean, sum(p50) as p50 from read_parquet($landing)
            group by horizon_weeks
        )
        select
            (select max(greatest(abs(mean), abs(p50))) from weeks),
            max(chain_largest_plausible)
        from read_parquet($ranges)
        """,
        {"landing": file_pattern(landing), "ranges": file_pattern(ranges)},
    ).fetchone()
    assert row is not None
    largest, largest_plausible = row
    if largest_plausible is None or largest <= largest_plausible:
        return
    raise RunError(
        f"The forecast of the whole chain by {run.model_id} at {run.cutoff_date} is not plausible: "
        f"its highest week is {largest:,.6g}, more than {largest_plausible:,.6g}, which is several "
        "times the highest week ever sold.",
        where=run.run_id,
        fix=_FIX,
    )
