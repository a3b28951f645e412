"""CREATE TABLE of an Iceberg table by its columns, and its changes, in Trino's words."""

from __future__ import annotations

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql import types
from local_aws.gateway.sql.codecs import codec_session
from local_aws.gateway.sql.ctas import ICEBERG_FORMATS, ICEBERG_UPKEEP
from local_aws.gateway.sql.errors import not_reproduced, refusal, semantic_exception
from local_aws.gateway.sql.external_tables import (
    Column,
    Definition,
    read_definition,
    refuse_duplicates,
    table_is_there_already,
)
from local_aws.gateway.sql.properties import array, map_of, with_clause
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import (
    ICEBERG_CATALOG,
    TableKind,
    TableName,
    find_table,
    quoted,
    text_literal,
)

# Iceberg's timestamps have microseconds.
_TIMESTAMP_PRECISION = 6
# Iceberg has no shorter integers and no text of fixed length.
_TYPES_REFUSED = ("tinyint", "smallint", "char")


def create_table(reader: Reader, context: Context) -> Outcome:
    """CREATE TABLE name (columns) … TBLPROPERTIES ('table_type' = 'ICEBERG', …)."""
    table = read_definition(reader, context)
    properties = dict(table.properties)
    if properties.pop("table_type", "").upper() != "ICEBERG":
        raise semantic_exception(
            "CREATE TABLE without EXTERNAL is for Iceberg tables only: add "
            "TBLPROPERTIES ('table_type'='ICEBERG')"
        )
    _check(table)
    made = {"location": text_literal(str(table.location))}
    file_format = _format(properties)
    made["format"] = text_literal(file_format)
    if table.transforms:
        made["partitioning"] = array(table.transforms)
    codec = properties.pop("write_compression", None)
    session = codec_session(ICEBERG_CATALOG, file_format, codec)
    upkeep = upkeep_properties(properties)
    if upkeep:
        made["extra_properties"] = map_of(upkeep)
    if find_table(context, table.name) is not None:
        if table.if_not_exists:
            return Outcome("DDL", "CREATE_TABLE", None, None)
        raise table_is_there_already(table.name)
    columns = ", ".join(column_sql(column) for column in table.columns)
    comment = "" if table.comment is None else f" COMMENT {text_literal(table.comment)}"
    name = table.name.in_trino(TableKind.ICEBERG)
    context.engine.trino(
        f"CREATE TABLE {name} ({columns}){comment} {with_clause(made)}", session=session
    )
    return Outcome("DDL", "CREATE_TABLE", None, None)


def _check(table: Definition) -> None:
    if not table.location:
        raise semantic_exception(
            "No location was specified for table. An S3 location must be specified"
        )
    names = [column.name for column in table.columns]
    refuse_duplicates(names)
    if table.partition_columns:
        raise semantic_exception(
            "PARTITIONED BY of an Iceberg table takes columns and transforms, without types"
        )
    if table.serde or table.formats or table.serde_properties or table.bucket_columns:
        raise semantic_exception(
            "ROW FORMAT, STORED AS and CLUSTERED BY are not supported for table type ICEBERG"
        )


def _format(properties: dict[str, str]) -> str:
    written = properties.pop("format", "parquet").upper()
    if written not in ICEBERG_FORMATS:
        raise refusal("INVALID_TABLE_PROPERTY", f"Unsupported table format: {written}")
    return written


def upkeep_properties(properties: dict[str, str]) -> dict[str, str]:
    """The properties for OPTIMIZE and VACUUM; Athena takes no others of an Iceberg table.

    Raises:
        QueryFailed: Another property, or a value that is no whole number.
    """
    for name, value in properties.items():
        if name == "compression_level":
            raise not_reproduced(f"The property {name}")
        if name not in ICEBERG_UPKEEP:
            raise refusal("INVALID_TABLE_PROPERTY", f"Unsupported table property key: {name}")
        if not value.isdigit():
            raise refusal(
                "INVALID_TABLE_PROPERTY", f"Unsupported value of table property {name}: {value}"
            )
    return dict(properties)


def column_sql(column: Column) -> str:
    """A column as Trino's CREATE TABLE and ADD COLUMN write it."""
    comment = "" if column.comment is None else f" COMMENT {text_literal(column.comment)}"
    return f"{quoted(column.name)} {type_sql(column.type)}{comment}"


def type_sql(hive_type: str) -> str:
    """A column's type for Iceberg.

    Raises:
        QueryFailed: Athena's Iceberg has no such type.
    """
    parsed = types.parse_hive(hive_type)
    for part in types.leaves(parsed):
        if part.name in _TYPES_REFUSED:
            raise refusal(
                "NOT_SUPPORTED", f"Type not supported for Iceberg: {types.to_trino(part)}"
            )
    return types.to_trino(parsed, timestamp_precision=_TIMESTAMP_PRECISION)


def alter(context: Context, name: TableName, change: str) -> None:
    """Run `ALTER TABLE name change` on Trino's Iceberg catalogue."""
    context.engine.trino(f"ALTER TABLE {name.in_trino(TableKind.ICEBERG)} {change}")
