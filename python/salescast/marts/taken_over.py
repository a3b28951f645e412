"""Rows of a table that grows with each forecast, which a new published file takes from the old one.

Rows of a run and week are what they were as long as their `inputs_digest` is the same, so that only
those with another one are read again. The tables are copies of what a warehouse bills by the byte.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from salescast.errors import RunError
from salescast.sql_text import file_pattern, quoted_name, quoted_text

MAX_CHANGED_RUNS = 1000
"""A query that names more runs is near the length that Athena refuses."""

_KEY = "run_id, week_end_date, inputs_digest"
_STAMPS = f"select {_KEY}, n_rows from read_parquet(?)"

_log = logging.getLogger(__name__)


def stamps_query(table: str) -> str:
    """The rows that stand for those of a table: run_id, week_end_date, inputs_digest, n_rows."""
    return f"select {_KEY}, count(*) as n_rows from {table} group by {_KEY}"


@dataclass(frozen=True)
class TakenOver:
    """Rows that a published file has and a new one takes over.

    Attributes:
        marts: The published file.
        schema: The schema of the table.
        name: Its name.
        stamps: Parquet files with the answer to `stamps_query`.
        run_ids: Runs of which some rows have changed.
        week_end_dates: The weeks in which they have. Rows of these runs in these weeks are read
            again, all others taken over.
    """

    marts: Path
    schema: str
    name: str
    stamps: Sequence[Path]
    run_ids: Sequence[str]
    week_end_dates: Sequence[date]

    @property
    def condition(self) -> str | None:
        """SQL of the rows that have to be read; None if there are none."""
        if not self.run_ids:
            return None
        runs = ", ".join(quoted_text(run_id) for run_id in self.run_ids)
        weeks = ", ".join(f"date '{week.isoformat()}'" for week in self.week_end_dates)
        return f"run_id in ({runs}) and week_end_date in ({weeks})"

    def insert(self, connection: duckdb.DuckDBPyConnection, relation: str) -> None:
        """Add the rows to a table that has those that were read.

        Raises:
            RunError: The table then has not the rows of the warehouse.
        """
        connection.execute(f"attach {quoted_text(self.marts)} as before (read_only)")
        connection.execute(
            f"""
            insert into {relation} by name
            select old.* from before.{quoted_name(self.schema)}.{quoted_name(self.name)} as old
            semi join ({_STAMPS}) as stamps
                on old.run_id = stamps.run_id
                and old.week_end_date = stamps.week_end_date
            where not (list_contains(?, old.run_id) and list_contains(?::date[], old.week_end_date))
            """,
            [_patterns(self.stamps), list(self.run_ids), list(self.week_end_dates)],
        )
        connection.execute("detach before")
        differing = connection.execute(
            f"""
            with held as (select {_KEY}, count(*) as n_rows from {relation} group by all),
            stamps as ({_STAMPS})
            select count(*) from (
                (from held except from stamps) union all (from stamps except from held)
            )
            """,
            [_patterns(self.stamps)],
        ).fetchone()
        if differing != (0,):
            raise RunError(
                f"The copy of {self.name} would not hold the rows of the warehouse.",
                where=str(self.marts),
                fix="Remove that file, then run `salescast build`: all rows are read again.",
            )


def find_taken_over(
    marts: Path,
    schema: str,
    name: str,
    *,
    columns: Mapping[str, str],
    origin: str,
    stamps: Sequence[Path],
    config: Mapping[str, str],
) -> TakenOver | None:
    """Find what a new file can take from the published one; None if all has to be read.

    Args:
        marts: The published file, if there is one.
        schema: The schema of the table.
        name: Its name.
        columns: The columns that the copy has to have.
        origin: What the copy has to be marked with; a table that was made anew has another place.
        stamps: Parquet files with the answer to `stamps_query`.
        config: DuckDB's settings.
    """
    if not stamps or not marts.is_file():
        return None
    try:
        with duckdb.connect(":memory:", config=dict(config)) as connection:
            connection.execute(f"attach {quoted_text(marts)} as before (read_only)")
            held = connection.execute(
                """
                select list(c.column_name), any_value(t.comment)
                from duckdb_tables() as t
                join duckdb_columns() as c using (database_name, schema_name, table_name)
                where t.database_name = 'before' and t.schema_name = ? and t.table_name = ?
                """,
                [schema, name],
            ).fetchone()
            if held is None or set(held[0] or ()) != set(columns) or held[1] != origin:
                return None
            changed = connection.execute(
                f"""
                with stamps as ({_STAMPS}),
                held as (
                    select {_KEY}, count(*) as n_rows
                    from before.{quoted_name(schema)}.{quoted_name(name)}
                    group by all
                )
                select run_id, week_end_date from (from stamps except from held)
                union
                select run_id, week_end_date from stamps group by all having count(*) > 1
                """,
                [_patterns(stamps)],
            ).fetchall()
    except duckdb.Error as error:
        _log.info("%s cannot be read, all is copied again: %s", marts, error)
        return None
    run_ids = sorted({run_id for run_id, _ in changed})
    if len(run_ids) > MAX_CHANGED_RUNS:
        return None
    weeks = sorted({week for _, week in changed})
    return TakenOver(marts, schema, name, tuple(stamps), run_ids, weeks)


def _patterns(paths: Sequence[Path]) -> list[str]:
    return [file_pattern(path) for path in paths]
