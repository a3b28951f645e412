"""SHOW and DESCRIBE, from Glue, each row one text as Athena lays it out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Column, Context, Outcome, TrinoResult
from local_aws.gateway.sql.databases import database_does_not_exist
from local_aws.gateway.sql.errors import (
    ddl_task_failed,
    not_reproduced,
    refusal,
    semantic_exception,
)
from local_aws.gateway.sql.partitions import path, read_partition
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import (
    TableKind,
    TableName,
    find_table,
    iceberg_properties,
    is_not_found,
    kind_of,
    partitions_of,
    read_table_name,
    table_not_found,
    tables_in,
)
from local_aws.gateway.sql.tokens import Kind

# Hive pads what stands in a column of DESCRIBE.
_WIDTH = 20


def lines(column: str, rows: Sequence[str]) -> TrinoResult:
    """A result of one text column."""
    return TrinoResult(
        columns=[Column(name=column, type="string", trino_type="varchar")],
        rows=[[row] for row in rows],
        update_count=None,
        scanned_bytes=0,
    )


def show_databases(reader: Reader, context: Context) -> Outcome:
    """SHOW DATABASES [LIKE 'pattern']."""
    pattern = _pattern(reader)
    reader.expect_end()
    pages = context.engine.glue.get_paginator("get_databases").paginate()
    names = [database["Name"] for page in pages for database in page["DatabaseList"]]
    return Outcome(
        "UTILITY", "SHOW_DATABASES", lines("database_name", _chosen(names, pattern)), None
    )


def show_tables(reader: Reader, context: Context) -> Outcome:
    """SHOW TABLES [IN database] ['pattern'], views among them."""
    database = _database(reader, context)
    pattern = _pattern(reader)
    reader.expect_end()
    names = [table["Name"] for table in _tables(context, database)]
    return Outcome("UTILITY", "SHOW_TABLES", lines("tab_name", _chosen(names, pattern)), None)


def show_views(reader: Reader, context: Context) -> Outcome:
    """SHOW VIEWS [IN database] [LIKE 'pattern']."""
    database = _database(reader, context)
    pattern = _pattern(reader)
    reader.expect_end()
    tables = _tables(context, database)
    names = [table["Name"] for table in tables if kind_of(table) is TableKind.VIEW]
    return Outcome("UTILITY", "SHOW_VIEWS", lines("views", _chosen(names, pattern)), None)


def _database(reader: Reader, context: Context) -> str:
    if reader.accept("IN") or reader.accept("FROM"):
        return reader.name()
    if not context.database:
        raise refusal(
            "MISSING_SCHEMA_NAME",
            "line 1:1: Schema must be specified when session schema is not set",
        )
    return context.database.lower()


def _tables(context: Context, database: str) -> list[dict[str, Any]]:
    try:
        return list(tables_in(context, database))
    except ClientError as error:
        if is_not_found(error):
            raise database_does_not_exist(database) from error
        raise


def _pattern(reader: Reader) -> str:
    # Hive's patterns: * for anything, | for or; Athena calls them regular expressions.
    if reader.accept("LIKE") or reader.peek_kind() is Kind.STRING:
        return reader.string()
    return "*"


def _chosen(names: Sequence[str], pattern: str) -> list[str]:
    try:
        expression = re.compile(re.sub(r"(?<!\.)\*", ".*", pattern.lower()))
    except re.error as error:
        raise ddl_task_failed(f"InvalidInputException: Invalid pattern '{pattern}'") from error
    return sorted(name for name in names if expression.fullmatch(name))


def show_columns(reader: Reader, context: Context) -> Outcome:
    """SHOW COLUMNS {FROM | IN} table [{FROM | IN} database]; names only, as on Athena."""
    _expect_from_or_in(reader)
    name = read_table_name(reader, context)
    if reader.accept("IN") or reader.accept("FROM"):
        name = TableName(reader.name(), name.table)
    reader.expect_end()
    table = _table(context, name)
    names = [column["Name"].ljust(_WIDTH) for column in _columns(table)]
    return Outcome("UTILITY", "SHOW_COLUMNS", lines("field", names), None)


def _expect_from_or_in(reader: Reader) -> None:
    reader.choose("IN", "FROM")


def show_partitions(reader: Reader, context: Context) -> Outcome:
    """SHOW PARTITIONS table [PARTITION (…)], of a Hive table."""
    name = read_table_name(reader, context)
    wanted = read_partition(reader) if reader.accept("PARTITION") else {}
    reader.expect_end()
    table = _table(context, name)
    keys = [column["Name"] for column in table.get("PartitionKeys", [])]
    if not keys:
        raise semantic_exception(f"[Error 10241]: Table {name.table} is not a partitioned table")
    found = [
        path(keys, partition["Values"])
        for partition in partitions_of(context, name)
        if wanted.items() <= dict(zip(keys, partition["Values"], strict=True)).items()
    ]
    return Outcome("UTILITY", "SHOW_PARTITIONS", lines("partition", sorted(found)), None)


def show_properties(reader: Reader, context: Context) -> Outcome:
    """SHOW TBLPROPERTIES table [('name')]."""
    name = read_table_name(reader, context)
    wanted = reader.listed(reader.string) if reader.peek() == "(" else []
    reader.expect_end()
    table = _table(context, name)
    if kind_of(table) is TableKind.ICEBERG:
        properties = {"table_type": "iceberg"} | iceberg_properties(context, name)
    else:
        properties = table.get("Parameters", {})
    if wanted:
        missing = f"Table {name} does not have property: {wanted[0]}"
        rows = [properties.get(wanted[0], missing)]
    else:
        rows = [f"{key}\t{value}" for key, value in sorted(properties.items())]
    return Outcome("UTILITY", "SHOW_TBLPROPERTIES", lines("prpt_name", rows), None)


def describe(reader: Reader, context: Context) -> Outcome:
    """DESCRIBE table: name, type and comment of each column, parted by tabs."""
    is_name = len(reader.tokens) == reader.place + 1 or reader.peek(1) == "."
    if reader.peek() in ("EXTENDED", "FORMATTED") and not is_name:
        raise not_reproduced(f"DESCRIBE {reader.peek()}")
    name = read_table_name(reader, context)
    if reader:
        raise not_reproduced("DESCRIBE of a partition or a column")
    table = _table(context, name)
    if kind_of(table) is TableKind.VIEW:
        raise not_reproduced("DESCRIBE of a view")
    rows = [_described(column) for column in _columns(table)]
    keys = table.get("PartitionKeys", [])
    if keys:
        head = "\t".join(title.ljust(_WIDTH) for title in ("# col_name", "data_type", "comment"))
        rows += ["\t \t ", "# Partition Information\t \t ", head, "\t \t "]
        rows += [_described(column) for column in keys]
    return Outcome("UTILITY", "DESCRIBE_TABLE", lines("col_name", rows), None)


def _described(column: dict[str, str]) -> str:
    parts = (column["Name"], column["Type"], column.get("Comment", ""))
    return "\t".join(part.ljust(_WIDTH) for part in parts)


def _columns(table: dict[str, Any]) -> list[dict[str, str]]:
    return [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]


def _table(context: Context, name: TableName) -> dict[str, Any]:
    table = find_table(context, name)
    if table is None:
        raise table_not_found(name)
    return table


def show_create_view(reader: Reader, context: Context) -> Outcome:
    """SHOW CREATE VIEW name, as Trino writes the view."""
    name = read_table_name(reader, context)
    reader.expect_end()
    result = context.engine.trino(f"SHOW CREATE VIEW {name.in_trino()}")
    written = str(result.rows[0][0]).replace(" SECURITY INVOKER", "", 1)
    shown = lines("create view", written.split("\n"))
    return Outcome("UTILITY", "SHOW_CREATE_VIEW", shown, None)


def show_create_table(reader: Reader, context: Context) -> Outcome:
    """SHOW CREATE TABLE name, as a statement that would make it again."""
    name = read_table_name(reader, context)
    reader.expect_end()
    table = _table(context, name)
    if kind_of(table) is TableKind.VIEW:
        raise refusal("NOT_SUPPORTED", f"line 1:1: Relation '{name}' is a view, not a table")
    if kind_of(table) is TableKind.ICEBERG:
        rows = _iceberg_ddl(name, table, iceberg_properties(context, name))
    else:
        rows = _hive_ddl(name, table)
    shown = lines("createtab_stmt", rows)
    return Outcome("UTILITY", "SHOW_CREATE_TABLE", shown, None)


def _hive_ddl(name: TableName, table: dict[str, Any]) -> list[str]:
    storage = table["StorageDescriptor"]
    serde = storage.get("SerdeInfo", {})
    parameters = dict(table.get("Parameters", {}))
    comment = parameters.pop("comment", None)
    parameters.pop("EXTERNAL", None)
    rows = [f"CREATE EXTERNAL TABLE `{name.table}`("]
    rows += _listed([_column_ddl(column) for column in storage["Columns"]], ")")
    if comment is not None:
        rows += ["COMMENT " + _text(comment)]
    if table.get("PartitionKeys"):
        rows += ["PARTITIONED BY ( "]
        rows += _listed([_column_ddl(column) for column in table["PartitionKeys"]], ")")
    if storage.get("BucketColumns"):
        rows += ["CLUSTERED BY ( "]
        rows += _listed([f"`{column}`" for column in storage["BucketColumns"]], ") ")
        rows += [f"INTO {storage['NumberOfBuckets']} BUCKETS"]
    rows += ["ROW FORMAT SERDE ", f"  {_text(serde.get('SerializationLibrary', ''))} "]
    if serde.get("Parameters"):
        rows += ["WITH SERDEPROPERTIES ( ", *_listed(_pairs(serde["Parameters"]), ") ")]
    rows += ["STORED AS INPUTFORMAT ", f"  {_text(storage.get('InputFormat', ''))} "]
    rows += ["OUTPUTFORMAT ", f"  {_text(storage.get('OutputFormat', ''))}"]
    rows += ["LOCATION", f"  {_text(storage.get('Location', ''))}"]
    if parameters:
        rows += ["TBLPROPERTIES (", *_listed(_pairs(parameters), ")")]
    return rows


_ICEBERG_PARAMETERS = re.compile(r"format|write_compression|optimize_\w+|vacuum_\w+|write_\w+")


def _iceberg_ddl(name: TableName, table: dict[str, Any], properties: dict[str, str]) -> list[str]:
    storage = table["StorageDescriptor"]
    rows = [f"CREATE TABLE {name} ("]
    rows += _listed([_column_ddl(column).replace("`", "") for column in storage["Columns"]], ")")
    rows += ["LOCATION " + _text(storage.get("Location", ""))]
    parameters = {
        key: value for key, value in properties.items() if _ICEBERG_PARAMETERS.fullmatch(key)
    }
    rows += ["TBLPROPERTIES (", *_listed(_pairs({"table_type": "iceberg"} | parameters), ")")]
    return rows


def _listed(items: Sequence[str], end: str) -> list[str]:
    return [*(f"  {item}, " for item in items[:-1]), f"  {items[-1]}{end}"]


def _column_ddl(column: dict[str, str]) -> str:
    comment = f" COMMENT {_text(column['Comment'])}" if column.get("Comment") else ""
    return f"`{column['Name']}` {column['Type']}{comment}"


def _pairs(properties: dict[str, str]) -> list[str]:
    return [f"{_text(key)}={_text(value)}" for key, value in sorted(properties.items())]


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\t", "\\t") + "'"
