"""The published file: marts and reports, copied out of the warehouse and renamed into place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from salescast.errors import RunError
from salescast.files import whole_file
from salescast.marts.taken_over import stamps_query
from salescast.sql_text import file_pattern, quoted_name, quoted_text

STORAGE_VERSION = "v1.0.0"
"""Oldest DuckDB that opens the file; the format of its time holds all types of the marts."""


@dataclass(frozen=True)
class UnloadedTable:
    """A table as Parquet files, none if it is empty; `columns` have Glue's types.

    Attributes:
        schema: Its schema.
        name: Its name.
        columns: The columns of the copy.
        paths: Its rows.
        stamps: The answer to `stamps_query`, which the rows have to agree with; none if all rows
            come of one statement.
        origin: What the rows are a copy of, which the table is marked with.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    paths: Sequence[Path]
    stamps: Sequence[Path] = ()
    origin: str | None = None


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
        connection.execute(f"attach {quoted_text(warehouse)} as warehouse (read_only)")
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
            connection.execute(f"create schema if not exists published.{quoted_name(schema)}")
        for schema, table in relations:
            path = f"{quoted_name(schema)}.{quoted_name(table)}"
            connection.execute(f"create table published.{path} as from warehouse.{path}")
        _copy_comments(connection, schemas)


def _copy_comments(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> None:
    """Give the published tables the descriptions that dbt has left on the warehouse's."""
    rows = connection.execute(
        """
        select schema_name, table_name, null as column_name, comment from duckdb_tables()
        where database_name = 'warehouse' and comment is not null
        union all
        select schema_name, view_name, null, comment from duckdb_views()
        where database_name = 'warehouse' and comment is not null
        union all
        select schema_name, table_name, column_name, comment from duckdb_columns()
        where database_name = 'warehouse' and comment is not null
        """
    ).fetchall()
    connection.execute("begin")
    for schema, table, column, comment in rows:
        if schema in schemas:
            names = [quoted_name(name) for name in (schema, table, column) if name is not None]
            kind = "table" if column is None else "column"
            connection.execute(
                f"comment on {kind} published.{'.'.join(names)} is {quoted_text(comment)}"
            )
    connection.execute("commit")


def publish_files(tables: Sequence[UnloadedTable], marts: Path, *, config: dict[str, Any]) -> None:
    """Write tables that were unloaded as Parquet into a new file, then put it in place.

    Args:
        tables: The tables.
        marts: The DuckDB file to replace.
        config: DuckDB's settings (memory_limit, threads, temp_directory).

    Raises:
        RunError: A table has other rows than its stamps say.
    """
    with _new_file(marts, config) as connection:
        for table in tables:
            relation = f"published.{quoted_name(table.schema)}.{quoted_name(table.name)}"
            columns = ", ".join(
                f"{quoted_name(name)} {_type(hive_type)}"
                for name, hive_type in table.columns.items()
            )
            connection.execute(f"create schema if not exists published.{quoted_name(table.schema)}")
            connection.execute(f"create table {relation} ({columns})")
            if table.paths:
                connection.execute(
                    f"insert into {relation} by name "
                    "from read_parquet(?, hive_partitioning = false)",
                    [[file_pattern(path) for path in table.paths]],
                )
            if table.stamps:
                _refuse_other_rows(connection, relation, table.stamps, marts)
            if table.origin:
                connection.execute(f"comment on table {relation} is {quoted_text(table.origin)}")


def _refuse_other_rows(
    connection: duckdb.DuckDBPyConnection, relation: str, stamps: Sequence[Path], marts: Path
) -> None:
    differing = connection.execute(
        f"""
        with held as ({stamps_query(relation)}),
        stamps as (select run_id, week_end_date, inputs_digest, n_rows from read_parquet(?))
        select count(*) from (
            (from held except from stamps) union all (from stamps except from held)
        )
        """,
        [[file_pattern(path) for path in stamps]],
    ).fetchone()
    if differing != (0,):
        raise RunError(
            f"The copy in {relation} would not hold the rows of the warehouse.",
            where=str(marts),
            fix="Remove that file, then run `salescast build`: all rows are read again.",
        )


@contextmanager
def _new_file(marts: Path, config: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with an empty database `published`, which replaces the file at the end."""
    marts.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(marts) as part:
        connection = duckdb.connect(":memory:", config=config)
        try:
            connection.execute(
                f"attach {quoted_text(part)} as published (storage_version '{STORAGE_VERSION}')"
            )
            yield connection
            connection.execute("detach published")
        finally:
            connection.close()


def _type(hive_type: str) -> str:
    """DuckDB's word for a type of Glue's."""
    if hive_type.startswith("array<"):
        return f"{_type(hive_type[6:-1])}[]"
    return "varchar" if hive_type == "string" else hive_type
