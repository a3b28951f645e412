"""UNLOAD (query) TO 's3://…' WITH (…): a CTAS into a table that is forgotten at once.

Trino has no UNLOAD. The throw-away table's location is the target, so nothing is copied, and
dropping an external table leaves its files.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Context, Outcome, TrinoResult
from local_aws.gateway.sql import rules
from local_aws.gateway.sql.codecs import codec_session
from local_aws.gateway.sql.ctas import HIVE_FORMATS
from local_aws.gateway.sql.errors import refusal
from local_aws.gateway.sql.properties import (
    array,
    choice,
    no_more,
    read_properties,
    text,
    texts,
    with_clause,
)
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import objects_under, require_empty
from local_aws.gateway.sql.tables import (
    CATALOG,
    UNLOAD_DATABASE,
    TableName,
    forget_table,
    is_there_already,
    text_literal,
)
from local_aws.gateway.sql.trino_text import Body, run, without_rows

# Athena's user guide, UNLOAD: `compression` is for ORC and Parquet; JSON and text are always gzip.
_COMPRESSED = ("ORC", "PARQUET")


def unload(reader: Reader, context: Context) -> Outcome:
    """UNLOAD (query) TO 's3://…' WITH (format = …, …)."""
    opening = reader.offset
    reader.skip_parentheses()
    body = Body(reader.text, opening + 1, reader.consumed - 1)
    reader.expect("TO")
    location = reader.string()
    reader.expect("WITH")
    properties = read_properties(reader)
    reader.expect_end()
    file_format = choice(properties, "format", HIVE_FORMATS)
    if file_format is None:
        raise refusal("INVALID_UNLOAD_PROPERTY", "line 1:1: UNLOAD needs the property 'format'")
    made = {"external_location": text_literal(location), "format": text_literal(file_format)}
    compression = text(properties, "compression")
    session = _codec(file_format, compression)
    partitions = texts(properties, "partitioned_by")
    if partitions:
        made["partitioned_by"] = array(partitions)
        session |= rules.ONE_WRITER
    delimiter = text(properties, "field_delimiter")
    if delimiter is not None:
        made["textfile_field_separator"] = text_literal(_delimiter(file_format, delimiter))
    no_more(properties, "UNLOAD")
    require_empty(context, location, "unload")
    result = _write(context, body, made, session)
    return Outcome("DML", "UNLOAD", without_rows(result), objects_under(context, location))


def _codec(file_format: str, compression: str | None) -> dict[str, str]:
    if compression is None:
        return {f"{CATALOG}.compression_codec": "GZIP"}
    if file_format not in _COMPRESSED:
        raise refusal(
            "INVALID_UNLOAD_PROPERTY",
            f"line 1:1: UNLOAD property 'compression' does not apply to the format {file_format}",
        )
    return codec_session(CATALOG, file_format, compression, refused_as="INVALID_UNLOAD_PROPERTY")


def _delimiter(file_format: str, delimiter: str) -> str:
    if file_format != "TEXTFILE" or len(delimiter) != 1:
        raise refusal(
            "INVALID_UNLOAD_PROPERTY",
            "line 1:1: UNLOAD property 'field_delimiter' is one character, for TEXTFILE",
        )
    return delimiter


def _write(
    context: Context, body: Body, made: dict[str, str], session: dict[str, str]
) -> TrinoResult:
    glue = context.engine.glue
    try:
        glue.create_database(DatabaseInput={"Name": UNLOAD_DATABASE})
    except ClientError as error:
        if not is_there_already(error):
            raise
    name = TableName(UNLOAD_DATABASE, f"unload_{context.execution_id.replace('-', '_')}")
    head = f"CREATE TABLE {name.in_trino()} {with_clause(made)} AS "
    try:
        return run(context, head, body, session=session)
    finally:
        forget_table(context, name)
