"""The published file: marts and reports, copied out of the warehouse and renamed into place."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import RunError


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


@dataclass(frozen=True)
class UnloadedTable:
    """A table as Parquet files, none if it is empty; `columns` have Glue's types."""

    schema: str
    name: str
    columns: Mapping[str, str]
    paths: Sequence[Path]


REPORT_TABLES: dict[str, tuple[str, ...]] = {
    "marts": (
        "fct_weekly_sales",
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
        "rpt_rejected_rows",
        "rpt_batches",
    ),
}
"""What the report and the commands read, by layer."""


def publish_marts(
    warehouse: Path, marts: Path, *, schemas: Sequence[str], config: dict[str, Any]
) -> None:
    """Copy all tables and views of the schemas into a new file, then put it in place.

    Readers that have the old file open keep it until they connect again.

    Args:
        warehouse: The DuckDB file to copy from.
        marts: The DuckDB file to replace.
        schemas: Schemas to copy; views become tables.
        config: DuckDB's settings (memory_limit, threads, temp_directory).

    Raises:
        RunError: The schemas hold no table.
    """
    with _new_file(marts, config) as connection:
        connection.execute(f"attach {_text(warehouse)} as warehouse (read_only)")
        marks = ", ".join("?" for _ in schemas)
        relations = connection.execute(
            f"""
            select table_schema, table_name from information_schema.tables
            where table_catalog = 'warehouse' and table_schema in ({marks})
            order by table_schema, table_name
            """,
            list(schemas),
        ).fetchall()
        if not relations:
            raise RunError(
                "The warehouse has no marts to publish.",
                where=str(warehouse),
                fix="Run `salescast build --selector post_predict` first.",
            )
        for schema in schemas:
            connection.execute(f"create schema if not exists published.{_name(schema)}")
        for schema, table in relations:
            path = f"{_name(schema)}.{_name(table)}"
            connection.execute(f"create table published.{path} as from warehouse.{path}")


def publish_files(tables: Sequence[UnloadedTable], marts: Path, *, config: dict[str, Any]) -> None:
    """Write tables that were unloaded as Parquet into a new file, then put it in place.

    Args:
        tables: The tables.
        marts: The DuckDB file to replace.
        config: DuckDB's settings (memory_limit, threads, temp_directory).
    """
    with _new_file(marts, config) as connection:
        for table in tables:
            relation = f"published.{_name(table.schema)}.{_name(table.name)}"
            columns = ", ".join(
                f"{_name(name)} {_type(hive_type)}" for name, hive_type in table.columns.items()
            )
            connection.execute(f"create schema if not exists published.{_name(table.schema)}")
            connection.execute(f"create table {relation} ({columns})")
            if table.paths:
                connection.execute(
                    f"insert into {relation} by name "
                    "from read_parquet(?, hive_partitioning = false)",
                    [[glob.escape(str(path)) for path in table.paths]],
                )


@contextmanager
def _new_file(marts: Path, config: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with an empty database `published`, which replaces the file at the end."""
    marts.parent.mkdir(parents=True, exist_ok=True)
    part = marts.with_name(f".{marts.name}")
    for leftover in (part, part.with_name(f"{part.name}.wal")):
        leftover.unlink(missing_ok=True)
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute(f"attach {_text(part)} as published")
        yield connection
        connection.execute("detach published")
    finally:
        connection.close()
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(marts)
    folder = os.open(marts.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_rejected(marts: Path, *, schema: str) -> list[tuple[str, int]]:
    """Reasons for which landed rows were set aside, with their number, the largest first.

    Args:
        marts: The published file.
        schema: The prefix of the schemas.
    """
    connection = duckdb.connect(str(marts), read_only=True)
    try:
        return connection.execute(
            f"""
            select reason, sum(n_rows)::bigint as n_rows
            from {_name(f"{schema}_reports")}.rpt_rejected_rows
            group by reason order by n_rows desc, reason
            """
        ).fetchall()
    finally:
        connection.close()


def read_accuracy(
    marts: Path, *, schema: str, cutoffs: Iterable[date] | None = None
) -> list[Accuracy]:
    """Accuracy by model and cutoff over all horizon bands, of store-department series.

    Args:
        marts: The published file.
        schema: The prefix of the schemas.
        cutoffs: Only these; all if None.

    Returns:
        Rows that have actuals, newest cutoff first, the better model first.
    """
    wanted = None if cutoffs is None else sorted(set(cutoffs))
    connection = duckdb.connect(str(marts), read_only=True)
    try:
        rows = connection.execute(
            f"""
            select
                model_id,
                kind,
                cutoff_date,
                sum(n_rows)::bigint as n_rows,
                sum(sum_abs_error) / nullif(sum(sum_abs_actual), 0) as wape,
                2 * sum(sum_pinball_loss_p10 + sum_pinball_loss_p50 + sum_pinball_loss_p90)
                    / 3 / nullif(sum(sum_abs_actual), 0) as wql,
                sum(n_inside_p10_p90) / nullif(sum(n_with_band), 0) as coverage,
                1 - sum(sum_abs_error_with_naive) / nullif(sum(sum_naive_abs_error), 0)
                    as value_added
            from {_name(f"{schema}_reports")}.rpt_forecast_accuracy
            where level = 'store-department'
                and (?::date[] is null or list_contains(?::date[], cutoff_date))
            group by model_id, kind, cutoff_date
            having sum(n_rows) > 0
            order by cutoff_date desc, wape, model_id
            """,
            [wanted, wanted],
        ).fetchall()
    finally:
        connection.close()
    return [Accuracy(*row) for row in rows]


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _type(hive_type: str) -> str:
    """DuckDB's word for a type of Glue's."""
    if hive_type.startswith("array<"):
        return f"{_type(hive_type[6:-1])}[]"
    return "varchar" if hive_type == "string" else hive_type


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
