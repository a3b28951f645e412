"""Statements that read or change rows: Trino gets them as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.gateway.engine import Context, Outcome, TrinoResult
from local_aws.gateway.sql import rules
from local_aws.gateway.sql.errors import not_reproduced
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import objects_under
from local_aws.gateway.sql.tables import TableKind, find_table, kind_of, read_table_name
from local_aws.gateway.sql.trino_text import Body, run, without_rows


def select(reader: Reader, context: Context) -> Outcome:
    """SELECT, WITH, VALUES, TABLE, or one of them in parentheses."""
    return Outcome("DML", "SELECT", _as_written(reader, context), None)


def insert(reader: Reader, context: Context) -> Outcome:
    """INSERT INTO table [(columns)] query."""
    table = _table_to_fill(reader, context)
    if table is None:
        return Outcome("DML", "INSERT", _as_written(reader, context), None)
    session = rules.ONE_WRITER if rules.is_partitioned(table) else {}
    location = table.get("StorageDescriptor", {}).get("Location", "")
    before = set(objects_under(context, location)) if location else set()
    result = _as_written(reader, context, session)
    after = objects_under(context, location) if location else []
    written = [found for found in after if found not in before and "/metadata/" not in found]
    return Outcome("DML", "INSERT", without_rows(result), written)


def _table_to_fill(reader: Reader, context: Context) -> dict[str, Any] | None:
    """The table that follows INSERT, None if there is none, which Trino says better."""
    reader.expect("INTO")
    name = read_table_name(reader, context)
    table = find_table(context, name)
    if table is not None:
        rules.check_insert(name, table)
    return table


def merge(reader: Reader, context: Context) -> Outcome:
    """MERGE INTO table …, of an Iceberg table."""
    return _change_rows("MERGE", reader, context)


def update(reader: Reader, context: Context) -> Outcome:
    """UPDATE table SET …, of an Iceberg table."""
    return _change_rows("UPDATE", reader, context)


def delete(reader: Reader, context: Context) -> Outcome:
    """DELETE FROM table …, of an Iceberg table."""
    return _change_rows("DELETE", reader, context)


# What stands between the verb and the table.
_CHANGING = {"MERGE": ("INTO",), "UPDATE": (), "DELETE": ("FROM",)}


def _change_rows(verb: str, reader: Reader, context: Context) -> Outcome:
    _check_changed_table(verb, reader, context)
    result = _as_written(reader, context)
    return Outcome("DML", verb, without_rows(result), None)


def _check_changed_table(verb: str, reader: Reader, context: Context) -> None:
    reader.expect(*_CHANGING[verb])
    table = find_table(context, read_table_name(reader, context))
    if table is not None and kind_of(table) is not TableKind.ICEBERG:
        rules.refuse_changed_rows(table)


_READING = ("SELECT", "WITH", "VALUES", "TABLE", "(")


def explain(reader: Reader, context: Context) -> Outcome:
    """EXPLAIN [(option, …)] statement and EXPLAIN ANALYZE query; the plan, one row a line.

    EXPLAIN ANALYZE carries its query out.
    """
    analyze = reader.accept("ANALYZE")
    if analyze and reader.peek() == "(" and reader.peek(1) == "FORMAT":
        raise not_reproduced("EXPLAIN ANALYZE (FORMAT …)")
    if not analyze and reader.peek() == "(" and reader.peek(1) in ("FORMAT", "TYPE"):
        reader.skip_parentheses()
    if reader.peek() not in _READING:
        _check_explained_change(reader, context, analyze=analyze)
    result = _as_written(reader, context)
    # TYPE VALIDATE answers with a boolean, all others with the lines of a plan.
    rows = [[line] for (plan,) in result.rows for line in str(plan).split("\n")]
    if result.columns[0].trino_type == "boolean":
        rows = result.rows
    shown = replace(result, rows=rows, update_count=None)
    return Outcome("UTILITY", "EXPLAIN", shown, None)


def _check_explained_change(reader: Reader, context: Context, *, analyze: bool) -> None:
    verb = reader.peek()
    if analyze or verb not in ("INSERT", *_CHANGING):
        reader.fail("SELECT", "VALUES", "WITH")
    reader.expect(verb)
    if verb == "INSERT":
        _table_to_fill(reader, context)
    else:
        _check_changed_table(verb, reader, context)


def _as_written(
    reader: Reader, context: Context, session: Mapping[str, str] | None = None
) -> TrinoResult:
    return run(context, "", Body(reader.text, 0, reader.end), session=session)
