"""CREATE VIEW and DROP VIEW."""

from __future__ import annotations

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql import rules, types
from local_aws.gateway.sql.errors import refusal
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import (
    TableKind,
    find_table,
    forget_table,
    kind_of,
    read_table_name,
    update_table,
)
from local_aws.gateway.sql.trino_text import Body, columns_of, run


def create_view(reader: Reader, context: Context) -> Outcome:
    """CREATE VIEW name AS query."""
    return _create(reader, context, replace=False)


def create_or_replace_view(reader: Reader, context: Context) -> Outcome:
    """CREATE OR REPLACE VIEW name AS query."""
    return _create(reader, context, replace=True)


def _create(reader: Reader, context: Context, *, replace: bool) -> Outcome:
    name = read_table_name(reader, context)
    reader.expect("AS")
    body = Body(reader.text, reader.consumed, reader.end)
    columns = columns_of(context, body)
    rules.check_view_columns(columns)
    # By default Trino ties a view to its maker's name, which no reader of Athena knows.
    verb = "CREATE OR REPLACE VIEW" if replace else "CREATE VIEW"
    run(context, f"{verb} {name.in_trino()} SECURITY INVOKER AS", body)
    # Trino keeps the columns in the view's text only; who asks Glue wants to see them too.
    table = find_table(context, name)
    if table is not None:
        table["StorageDescriptor"]["Columns"] = [
            {"Name": column.name.lower(), "Type": types.trino_to_hive(column.trino_type)}
            for column in columns
        ]
        update_table(context, name, table)
    return Outcome("DDL", "CREATE_VIEW", None, None)


def drop_view(reader: Reader, context: Context) -> Outcome:
    """DROP VIEW [IF EXISTS] name."""
    if_exists = reader.accept("IF", "EXISTS")
    name = read_table_name(reader, context)
    reader.expect_end()
    table = find_table(context, name)
    if table is None:
        if if_exists:
            return Outcome("DDL", "DROP_VIEW", None, None)
        raise refusal("TABLE_NOT_FOUND", f"line 1:1: View '{name}' does not exist")
    if kind_of(table) is not TableKind.VIEW:
        raise refusal(
            "GENERIC_USER_ERROR",
            f"line 1:1: View '{name}' does not exist, but a table with that name exists. "
            f"Did you mean DROP TABLE {name}?",
        )
    forget_table(context, name)
    return Outcome("DDL", "DROP_VIEW", None, None)
