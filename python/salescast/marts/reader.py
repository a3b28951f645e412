"""The published marts as rows of queries, for whoever shows them: the commands and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

import duckdb

from salescast import disk
from salescast.errors import RunError, UserError
from salescast.marts.measures import measure_columns, pooled_sums
from salescast.sql_text import quoted_name

Row = dict[str, Any]
NAIVE = "snaive_52"
HORIZON_BANDS = ["1-4", "5-13", "14-26", "27+"]

REPORT_TABLES: dict[str, tuple[str, ...]] = {
    "marts": (
        "fct_weekly_sales",
        "fct_weekly_sales_aggregate",
        "fct_forecast_vs_actual",
        "dim_week",
        "dim_series",
        "dim_store",
        "dim_department",
        "dim_forecast_run",
    ),
    "reports": (
        "rpt_forecast_latest",
        "rpt_forecast_accuracy",
        "rpt_leaderboard",
        "rpt_rejected_rows",
        "rpt_row_problems",
        "rpt_part_weeks",
        "rpt_batches",
    ),
}
"""What the report and the commands read, by layer."""

REPORT_COLUMNS: dict[str, tuple[str, ...]] = {
    "fct_forecast_vs_actual": (
        "run_id",
        "item_id",
        "week_end_date",
        "model_id",
        "store_id",
        "mean",
        "p10",
        "p50",
        "p90",
        "actual",
        "abs_error",
        "abs_actual",
        "naive_abs_error",
        "inputs_digest",
    ),
}
"""What they read of tables that grow with each forecast, and the digest that stands for the rows of
a run and week; of all others they may read everything."""


@dataclass(frozen=True)
class Accuracy:
    """A model's errors over all weeks with an actual, ratios of sums."""

    model_id: str
    kind: str
    cutoff_date: date
    n_rows: int
    wape: float | None
    wql: float | None
    coverage: float | None
    value_added: float | None


class Marts:
    """Queries on the published file; `{marts}` and `{reports}` in the SQL name its schemas."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        """Take an open connection and the prefix of the schemas."""
        self._connection = connection
        self._schemas = {layer: f"{schema}_{layer}" for layer in REPORT_TABLES}
        self._quoted = {layer: quoted_name(name) for layer, name in self._schemas.items()}

    def rows(self, sql: str, **parameters: Any) -> list[Row]:
        """All rows of a query, by column name."""
        cursor = self._connection.execute(sql.format(**self._quoted), parameters)
        names = [column[0] for column in cursor.description or []]
        return [
            # JSON and number formats know no NaN: what is not finite is shown as missing.
            {
                name: None if isinstance(value, float) and not isfinite(value) else value
                for name, value in zip(names, values, strict=True)
            }
            for values in cursor.fetchall()
        ]

    def row(self, sql: str, **parameters: Any) -> Row:
        """The first row of a query that has one."""
        return self.rows(sql, **parameters)[0]

    def missing_tables(self) -> list[str]:
        """Tables of REPORT_TABLES that the file does not hold."""
        found = {
            (row["table_schema"], row["table_name"])
            for row in self.rows("select table_schema, table_name from information_schema.tables")
        }
        return [
            f"{self._schemas[layer]}.{table}"
            for layer, tables in REPORT_TABLES.items()
            for table in tables
            if (self._schemas[layer], table) not in found
        ]


@dataclass(frozen=True)
class Rerun:
    """A live run that came after another one of the same model and cutoff.

    Attributes:
        run_id: The run.
        model_id: Its model.
        cutoff_date: Its cutoff.
        record_run_id: The first such run, which accuracy judges.
    """

    run_id: str
    model_id: str
    cutoff_date: date
    record_run_id: str


@contextmanager
def open_marts(path: Path, *, schema: str) -> Iterator[Marts]:
    """The published file, open for reading while the block runs.

    Args:
        path: The published file.
        schema: Prefix of the schemas, as in `<schema>_marts`.

    Raises:
        UserError: There is no such file.
        RunError: The file cannot be opened.
    """
    if not path.is_file():
        raise UserError(
            "There are no published marts to report on.",
            where=str(path),
            fix="Land data with `salescast ingest PATH`, then run `salescast run`.",
        )
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        if (refused := disk.told(error, path)) is not None:
            raise refused from error
        raise RunError(
            f"The marts file cannot be opened: {error}",
            where=str(path),
            fix="Close programs that hold it for writing, or publish it again: `salescast build`.",
        ) from error
    with connection:
        yield Marts(connection, schema)


def read_rejected(path: Path, *, schema: str) -> list[tuple[str, int]]:
    """Reasons for which landed rows were set aside, with their number, the largest first.

    Args:
        path: The published file.
        schema: The prefix of the schemas.
    """
    with open_marts(path, schema=schema) as marts:
        rows = marts.rows(
            """
            select reason, sum(n_rows)::bigint as n_rows from {reports}.rpt_rejected_rows
            group by reason order by n_rows desc, reason
            """
        )
    return [(row["reason"], row["n_rows"]) for row in rows]


def read_reruns(path: Path, *, schema: str, batch_id: str) -> list[Rerun]:
    """Live runs of a batch that are not the record of their cutoff, with the one that is.

    Those made from the same data are left out.

    Args:
        path: The published file.
        schema: The prefix of the schemas.
        batch_id: The batch.
    """
    with open_marts(path, schema=schema) as marts:
        rows = marts.rows(
            """
            select run.run_id, run.model_id, run.cutoff_date, record.run_id as record_run_id
            from {marts}.dim_forecast_run as run
            join {marts}.dim_forecast_run as record using (model_id, cutoff_date, kind)
            where run.batch_id = $batch_id and run.kind = 'live' and not run.is_current
                and record.is_current and run.data_hash is distinct from record.data_hash
            order by run.cutoff_date desc, run.model_id
            """,
            batch_id=batch_id,
        )
    return [Rerun(**row) for row in rows]


def read_accuracy(
    path: Path, *, schema: str, cutoffs: Iterable[date] | None = None, first: str | None = None
) -> list[Accuracy]:
    """Accuracy by model and cutoff over all horizon bands, of store-department series.

    Args:
        path: The published file.
        schema: The prefix of the schemas.
        cutoffs: Only these; all if None.
        first: The model that is told before the others of a cutoff.

    Returns:
        Rows that have actuals, newest cutoff first, the better model first.
    """
    measures = ("wape", "wql_3", "coverage", "value_added")
    with open_marts(path, schema=schema) as marts:
        rows = marts.rows(
            f"""
            with sums as (
                select
                    model_id, kind, cutoff_date, sum(n_rows)::bigint as n_rows,
                    {pooled_sums(*measures)}
                from {{reports}}.rpt_forecast_accuracy
                where level = 'store-department'
                    and ($cutoffs::date[] is null or list_contains($cutoffs::date[], cutoff_date))
                group by model_id, kind, cutoff_date
                having sum(n_rows) > 0
            )
            select model_id, kind, cutoff_date, n_rows, {measure_columns(*measures)} from sums
            order by cutoff_date desc, model_id is distinct from $first, wape, model_id
            """,
            cutoffs=None if cutoffs is None else sorted(set(cutoffs)),
            first=first,
        )
    return [Accuracy(wql=row.pop("wql_3"), **row) for row in rows]


def read_leaderboard(path: Path, *, schema: str, level: str, horizon_band: str) -> list[Row]:
    """Models side by side, the best against the seasonal naive first.

    Args:
        path: The published file.
        schema: The prefix of the schemas.
        level: Level of the rows, as store-department.
        horizon_band: Weeks ahead, as 1-4, or all.

    Returns:
        The rows of rpt_leaderboard, by column name.

    Raises:
        UserError: Nothing is published, or by a version that had no leaderboard.
    """
    with open_marts(path, schema=schema) as marts:
        if f"{schema}_reports.rpt_leaderboard" in marts.missing_tables():
            raise UserError(
                "The published marts have no leaderboard.",
                where=str(path),
                fix="Publish them again with this version: salescast build.",
            )
        return marts.rows(
            """
            select * from {reports}.rpt_leaderboard
            where level = $level and horizon_band = $horizon_band
            order by relative_error nulls last, wape, model_id
            """,
            level=level,
            horizon_band=horizon_band,
        )
