"""Names of tables, and what Glue knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Context, QueryFailed
from local_aws.gateway.sql.errors import refusal, semantic_exception
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tokens import Dialect, position

CATALOG = "awsdatacatalog"
ICEBERG_CATALOG = "iceberg"
# The throw-away tables of UNLOAD are here, so that no reader of a user's database sees one.
UNLOAD_DATABASE = "__unload__"

# What UpdateTable takes of what GetTable gives.
_INPUT_KEYS = (
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
)


class TableKind(Enum):
    """How a table is stored."""

    HIVE = "hive"
    ICEBERG = "iceberg"
    VIEW = "view"


@dataclass(frozen=True)
class TableName:
    """A table's database and name, in lower case as Glue keeps them."""

    database: str
    table: str

    def in_trino(self, kind: TableKind = TableKind.HIVE) -> str:
        """The full name for Trino, whose Iceberg catalogue is the one to change such tables by."""
        catalog = ICEBERG_CATALOG if kind is TableKind.ICEBERG else CATALOG
        return ".".join(map(quoted, (catalog, self.database, self.table)))

    def __str__(self) -> str:
        """As messages write it."""
        return f"{self.database}.{self.table}"


def quoted(name: str) -> str:
    """A name in double quotes, for Trino."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text in single quotes, for Trino."""
    return "'" + text.replace("'", "''") + "'"


def read_table_name(
    reader: Reader, context: Context, *, with_catalog: bool | None = None
) -> TableName:
    """Read `table`, `database.table` or `awsdatacatalog.database.table`.

    Args:
        reader: The statement.
        context: The database of a name that has none.
        with_catalog: Whether the name may have three parts; by default in Trino's dialect only.

    Raises:
        QueryFailed: Another catalogue, or no database is named and the request has none.
    """
    line, column = position(reader.text, reader.offset)
    if with_catalog is None:
        with_catalog = reader.dialect is Dialect.TRINO
    parts = [reader.name()]
    while len(parts) < (3 if with_catalog else 2) and reader.accept("."):
        parts.append(reader.name())
    if reader.peek() == ".":
        reader.fail("<EOF>")
    if len(parts) == 3:
        catalog = parts.pop(0)
        if catalog != CATALOG:
            raise refusal(
                "CATALOG_NOT_FOUND", f"line {line}:{column}: Catalog '{catalog}' does not exist"
            )
    if len(parts) == 2:
        return TableName(parts[0], parts[1])
    if not context.database:
        raise refusal(
            "MISSING_SCHEMA_NAME",
            f"line {line}:{column}: Schema must be specified when session schema is not set",
        )
    return TableName(context.database.lower(), parts[0])


def find_table(context: Context, name: TableName) -> dict[str, Any] | None:
    """The table as Glue holds it, or None."""
    try:
        found = context.engine.glue.get_table(DatabaseName=name.database, Name=name.table)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    table: dict[str, Any] = found["Table"]
    return table


def is_not_found(error: ClientError) -> bool:
    """Whether Glue says that the thing asked for does not exist."""
    return bool(error.response["Error"]["Code"] == "EntityNotFoundException")


def is_there_already(error: ClientError) -> bool:
    """Whether Glue says that the thing to make exists."""
    return bool(error.response["Error"]["Code"] == "AlreadyExistsException")


def kind_of(table: dict[str, Any]) -> TableKind:
    """How a table of Glue is stored."""
    if table.get("TableType") == "VIRTUAL_VIEW":
        return TableKind.VIEW
    if table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG":
        return TableKind.ICEBERG
    return TableKind.HIVE


def table_input(table: dict[str, Any]) -> dict[str, Any]:
    """A table of Glue as UpdateTable takes it."""
    return {key: table[key] for key in _INPUT_KEYS if table.get(key) is not None}


def update_table(context: Context, name: TableName, table: dict[str, Any]) -> None:
    """Write a changed table back to Glue."""
    context.engine.glue.update_table(DatabaseName=name.database, TableInput=table_input(table))


def forget_table(context: Context, name: TableName) -> None:
    """Delete a table from Glue; somebody else may have done so since it was looked up."""
    try:
        context.engine.glue.delete_table(DatabaseName=name.database, Name=name.table)
    except ClientError as error:
        if not is_not_found(error):
            raise


def partitions_of(context: Context, name: TableName) -> Iterator[dict[str, Any]]:
    """A table's partitions in Glue."""
    pages = context.engine.glue.get_paginator("get_partitions").paginate(
        DatabaseName=name.database, TableName=name.table
    )
    for page in pages:
        yield from page["Partitions"]


def tables_in(context: Context, database: str) -> Iterator[dict[str, Any]]:
    """A database's tables and views in Glue."""
    pages = context.engine.glue.get_paginator("get_tables").paginate(DatabaseName=database)
    for page in pages:
        yield from page["TableList"]


def iceberg_properties(context: Context, name: TableName) -> dict[str, str]:
    """An Iceberg table's own properties; they are in its metadata, not in Glue."""
    properties = TableName(name.database, f"{name.table}$properties")
    result = context.engine.trino(
        f"SELECT key, value FROM {properties.in_trino(TableKind.ICEBERG)}"
    )
    return {key: value for key, value in result.rows}


def table_not_found(name: TableName) -> QueryFailed:
    """Hive's words for a table that is not there."""
    return semantic_exception(f"[Error 10001]: Table not found {name}")
