"""CREATE TABLE … AS, Hive and Iceberg."""

from __future__ import annotations

from dataclasses import dataclass

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql import rules
from local_aws.gateway.sql.codecs import codec_session
from local_aws.gateway.sql.errors import refusal
from local_aws.gateway.sql.properties import (
    Property,
    array,
    choice,
    flag,
    map_of,
    no_more,
    read_properties,
    text,
    texts,
    whole_number,
    with_clause,
)
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import objects_under, require_empty
from local_aws.gateway.sql.tables import (
    CATALOG,
    ICEBERG_CATALOG,
    TableKind,
    TableName,
    find_table,
    text_literal,
)
from local_aws.gateway.sql.trino_text import Body, columns_of, run, without_rows

HIVE_FORMATS = ("PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE")
ICEBERG_FORMATS = ("PARQUET", "ORC", "AVRO")
# Properties that Athena keeps with an Iceberg table for OPTIMIZE and VACUUM.
ICEBERG_UPKEEP = (
    "optimize_rewrite_min_data_file_size_bytes",
    "optimize_rewrite_max_data_file_size_bytes",
    "optimize_rewrite_data_file_threshold",
    "optimize_rewrite_delete_file_threshold",
    "vacuum_min_snapshots_to_keep",
    "vacuum_max_snapshot_age_seconds",
    "vacuum_max_metadata_files_to_keep",
    "write_target_data_file_size_bytes",
)


@dataclass(frozen=True)
class _Target:
    """The table to make; `body` is all after AS, `query` the same without WITH [NO] DATA."""

    name: TableName
    if_not_exists: bool
    body: Body
    query: Body


def create_table_as(
    reader: Reader, context: Context, name: TableName, if_not_exists: bool
) -> Outcome:
    """What follows `CREATE TABLE [IF NOT EXISTS] name`: [WITH (property = value, …)] AS query."""
    properties = read_properties(reader) if reader.accept("WITH") else {}
    reader.expect("AS")
    body = Body(reader.text, reader.consumed, reader.end)
    target = _Target(name, if_not_exists, body, _query(reader, body))
    table_type = choice(properties, "table_type", ("HIVE", "ICEBERG")) or "HIVE"
    if table_type == "ICEBERG":
        return _iceberg(target, properties, context)
    return _hive(target, properties, context)


def _query(reader: Reader, body: Body) -> Body:
    words = [token.word for token in reader.tokens[-3:]]
    for clause in (["WITH", "NO", "DATA"], ["WITH", "DATA"]):
        if words[-len(clause) :] == clause:
            return Body(body.statement, body.start, reader.tokens[-len(clause)].offset)
    return body


def _hive(target: _Target, properties: dict[str, Property], context: Context) -> Outcome:
    if flag(properties, "is_external") is False:
        raise refusal(
            "INVALID_TABLE_PROPERTY", "A Hive table is external: is_external = false is for Iceberg"
        )
    file_format = choice(properties, "format", HIVE_FORMATS) or "PARQUET"
    location = text(properties, "external_location")
    if location is None:
        location = f"{context.output_location.rstrip('/')}/tables/{context.execution_id}/"
    made = {"external_location": text_literal(location), "format": text_literal(file_format)}
    partitions = texts(properties, "partitioned_by")
    if partitions:
        made["partitioned_by"] = array(partitions)
    buckets = texts(properties, "bucketed_by")
    if buckets:
        made["bucketed_by"] = array(buckets)
    count = whole_number(properties, "bucket_count")
    if count is not None:
        made["bucket_count"] = str(count)
    delimiter = text(properties, "field_delimiter")
    if delimiter is not None:
        made["textfile_field_separator"] = text_literal(delimiter)
    session = _codec(properties, file_format, CATALOG)
    no_more(properties, "table")
    if partitions:
        session |= rules.ONE_WRITER
    if _is_there(target, context):
        return Outcome("DDL", "CREATE_TABLE_AS_SELECT", None, None)
    require_empty(context, location, str(target.name))
    head = f"CREATE TABLE {target.name.in_trino()} {with_clause(made)} AS"
    result = run(context, head, target.body, session=session)
    written = objects_under(context, location)
    return Outcome("DDL", "CREATE_TABLE_AS_SELECT", without_rows(result), written)


def _iceberg(target: _Target, properties: dict[str, Property], context: Context) -> Outcome:
    if flag(properties, "is_external") is not False:
        raise refusal(
            "INVALID_TABLE_PROPERTY", "An Iceberg table is not external: set is_external = false"
        )
    file_format = choice(properties, "format", ICEBERG_FORMATS) or "PARQUET"
    location = text(properties, "location")
    if location is None:
        raise refusal("INVALID_TABLE_PROPERTY", "An Iceberg table needs the property 'location'")
    made = {"location": text_literal(location), "format": text_literal(file_format)}
    partitioning = texts(properties, "partitioning")
    if partitioning:
        made["partitioning"] = array(partitioning)
    upkeep = {
        key: str(value)
        for key in ICEBERG_UPKEEP
        if (value := whole_number(properties, key)) is not None
    }
    if upkeep:
        made["extra_properties"] = map_of(upkeep)
    session = _codec(properties, file_format, ICEBERG_CATALOG)
    no_more(properties, "table")
    if partitioning:
        session |= rules.ONE_WRITER
    if _is_there(target, context):
        return Outcome("DDL", "CREATE_TABLE_AS_SELECT", None, None)
    rules.check_iceberg_columns(columns_of(context, target.query))
    head = f"CREATE TABLE {target.name.in_trino(TableKind.ICEBERG)} {with_clause(made)} AS"
    result = run(context, head, target.body, session=session)
    written = [found for found in objects_under(context, location) if "/metadata/" not in found]
    return Outcome("DDL", "CREATE_TABLE_AS_SELECT", without_rows(result), written)


def _codec(properties: dict[str, Property], file_format: str, catalog: str) -> dict[str, str]:
    names = ["write_compression"]
    if catalog == CATALOG and file_format in ("PARQUET", "ORC"):
        names.append(f"{file_format.lower()}_compression")
    given = [name for name in names if name in properties]
    if len(given) > 1:
        raise refusal("INVALID_TABLE_PROPERTY", f"Only one of {' and '.join(given)} can be given")
    codec = text(properties, given[0]) if given else None
    return codec_session(catalog, file_format, codec)


def _is_there(target: _Target, context: Context) -> bool:
    """Whether nothing is to be done, as the table exists and may."""
    if find_table(context, target.name) is None:
        return False
    if target.if_not_exists:
        return True
    raise refusal(
        "TABLE_ALREADY_EXISTS",
        f"line 1:1: Destination table '{CATALOG}.{target.name}' already exists",
    )
