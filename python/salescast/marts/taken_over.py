"""Rows of a table that grows with each forecast, which a new published file takes from the old one.

Rows of a run and week are what they were as long as their `inputs_digest` is the same, so that only
those with another one are read again. The tables are copies of what a warehouse bills by the byte.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from salescast.sql_text import file_pattern, quoted_name, quoted_text

MAX_CHANGED_RUNS = 1000
"""A query that names more runs is near the length that Athena refuses."""

_KEY = "run_id, week_end_date, inputs_digest"

_log = logging.getLogger(__name__)


def stamps_query(table: str) -> str:
    """The rows that stand for those of a table: run_id, week_end_date, inputs_digest, n_rows."""
    return f"select {_KEY}, count(*) as n_rows from {table} group by {_KEY}"


@dataclass(frozen=True)
class TakenOver:
    """Rows that are taken over, and which ones are not.

    Attributes:
        rows: Parquet file of the rows.
        condition: SQL of the rows that have to be read; None if there are none.
    """

    rows: Path
    condition: str | None


def take_over(
    marts: Path,
    schema: str,
    name: str,
    *,
    columns: Iterable[str],
    origin: str,
    stamps: Sequence[Path],
    config: Mapping[str, str],
    to: Path,
) -> TakenOver | None:
    """Copy what a new file can take from the published one; None if all has to be read.

    A file that cannot be read to its end is none to take from.

    Args:
        marts: The published file, if there is one.
        schema: The schema of the table.
        name: Its name.
        columns: The columns that the copy has to have.
        origin: What the copy has to be marked with; a table that was made anew has another place.
        stamps: Parquet files with the answer to `stamps_query`.
        config: DuckDB's settings.
        to: The Parquet file to write.
    """
    if not stamps or not marts.is_file():
        return None
    try:
        with duckdb.connect(":memory:", config=dict(config)) as connection:
            connection.execute(f"attach {quoted_text(marts)} as before (read_only)")
            if _table(connection, schema, name) != (set(columns), origin):
                return None
            table = f"before.{quoted_name(schema)}.{quoted_name(name)}"
            paths = [file_pattern(path) for path in stamps]
            changed = _changed(connection, table, paths)
            run_ids = sorted({run_id for run_id, _ in changed if run_id is not None})
            weeks = sorted({week for _, week in changed if week is not None})
            if len(run_ids) > MAX_CHANGED_RUNS or any(None in keys for keys in changed):
                return None
            connection.execute(
                f"""
                copy (
                    select old.* from {table} as old
                    semi join read_parquet($paths) as stamps using (run_id, week_end_date)
                    where not (
                        list_contains($run_ids::varchar[], old.run_id)
                        and list_contains($weeks::date[], old.week_end_date)
                    )
                ) to {quoted_text(to)} (format parquet)
                """,
                {"paths": paths, "run_ids": run_ids, "weeks": weeks},
            )
    except duckdb.Error as error:
        _log.info("%s cannot be read, all is copied again: %s", marts, error)
        return None
    return TakenOver(to, _condition(run_ids, weeks))


def _table(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str
) -> tuple[set[str], str | None] | None:
    """Columns of a table and what it is marked with."""
    held = connection.execute(
        """
        select list(c.column_name), any_value(t.comment)
        from duckdb_tables() as t
        join duckdb_columns() as c using (database_name, schema_name, table_name)
        where t.database_name = 'before' and t.schema_name = ? and t.table_name = ?
        """,
        [schema, name],
    ).fetchone()
    return (set(held[0] or ()), held[1]) if held else None


def _changed(
    connection: duckdb.DuckDBPyConnection, table: str, stamps: Sequence[str]
) -> list[tuple[str | None, date | None]]:
    """Runs and weeks of the stamps that have other rows in a table, or rows of several digests."""
    return connection.execute(
        f"""
        with stamps as (select {_KEY}, n_rows from read_parquet(?)),
        held as (select {_KEY}, count(*) as n_rows from {table} group by all),
        differing as ((from stamps except from held) union (from held except from stamps))
        select run_id, week_end_date from differing
        intersect
        select run_id, week_end_date from stamps
        union
        select run_id, week_end_date from stamps
        group by all
        having count(*) > 1 or run_id is null or week_end_date is null
        """,
        [list(stamps)],
    ).fetchall()


def _condition(run_ids: Sequence[str], weeks: Sequence[date]) -> str | None:
    if not run_ids:
        return None
    runs = ", ".join(quoted_text(run_id) for run_id in run_ids)
    dates = ", ".join(f"date '{week.isoformat()}'" for week in weeks)
    return f"run_id in ({runs}) and week_end_date in ({dates})"
