"""CREATE EXTERNAL TABLE and CREATE TABLE with columns: the clauses, and Hive tables in Glue.

Trino reads a table whose entry in Glue is as Athena writes it, so the entry is written directly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Context, Outcome, QueryFailed
from local_aws.gateway.sql import types
from local_aws.gateway.sql.databases import database_does_not_exist, string_pairs
from local_aws.gateway.sql.errors import (
    ddl_task_failed,
    not_reproduced,
    parse_exception,
    semantic_exception,
)
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import split
from local_aws.gateway.sql.tables import (
    TableName,
    is_not_found,
    is_there_already,
    read_table_name,
)
from local_aws.gateway.sql.tokens import position


@dataclass(frozen=True)
class Column:
    """A column of DDL: name, type as Hive writes it, comment."""

    name: str
    type: str
    comment: str | None = None

    def in_glue(self) -> dict[str, str]:
        """As Glue holds it."""
        found = {"Name": self.name, "Type": self.type}
        if self.comment is not None:
            found["Comment"] = self.comment
        return found


@dataclass
class Definition:
    """All clauses of one CREATE TABLE with columns."""

    name: TableName
    if_not_exists: bool
    columns: list[Column]
    comment: str | None = None
    # Hive's partition columns, or Iceberg's columns and transforms.
    partition_columns: list[Column] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)
    bucket_columns: list[str] = field(default_factory=list)
    bucket_count: int | None = None
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    formats: _Formats | None = None
    location: str | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Formats:
    """The classes of a STORED AS; a format's own SerDe reads it unless ROW FORMAT names another."""

    input: str
    output: str
    serde: str | None


_HIVE = "org.apache.hadoop.hive"
_LAZY_SIMPLE = f"{_HIVE}.serde2.lazy.LazySimpleSerDe"
_STORED_AS = {
    "TEXTFILE": _Formats(
        "org.apache.hadoop.mapred.TextInputFormat",
        f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat",
        _LAZY_SIMPLE,
    ),
    "PARQUET": _Formats(
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "ORC": _Formats(
        f"{_HIVE}.ql.io.orc.OrcInputFormat",
        f"{_HIVE}.ql.io.orc.OrcOutputFormat",
        f"{_HIVE}.ql.io.orc.OrcSerde",
    ),
    "AVRO": _Formats(
        f"{_HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{_HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{_HIVE}.serde2.avro.AvroSerDe",
    ),
    "SEQUENCEFILE": _Formats(
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        f"{_HIVE}.ql.io.HiveSequenceFileOutputFormat",
        _LAZY_SIMPLE,
    ),
    "RCFILE": _Formats(
        f"{_HIVE}.ql.io.RCFileInputFormat",
        f"{_HIVE}.ql.io.RCFileOutputFormat",
        f"{_HIVE}.serde2.columnar.LazyBinaryColumnarSerDe",
    ),
}
# SerDes of Athena that Trino reads, in lower case; Hive is not strict about OpenCSVSerDe's case.
_SERDES = {
    serde.lower(): serde
    for serde in (
        *(formats.serde for formats in _STORED_AS.values() if formats.serde),
        f"{_HIVE}.serde2.OpenCSVSerde",
        f"{_HIVE}.serde2.RegexSerDe",
        f"{_HIVE}.serde2.columnar.ColumnarSerDe",
        "org.openx.data.jsonserde.JsonSerDe",
        "org.apache.hive.hcatalog.data.JsonSerDe",
    )
}
_SERDES_NOT_HERE = {
    "com.amazonaws.glue.serde.grokserde",
    "com.amazon.ionhiveserde.ionhiveserde",
    "com.amazon.emr.hive.serde.cloudtrailserde",
}


def read_definition(reader: Reader, context: Context) -> Definition:
    """Read what follows CREATE [EXTERNAL] TABLE: the clauses have one order, as in Hive."""
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = read_table_name(reader, context)
    columns = reader.listed(lambda: read_column(reader))
    table = Definition(name, if_not_exists, columns)
    if reader.accept("COMMENT"):
        table.comment = reader.string()
    if reader.accept("PARTITIONED", "BY"):
        _read_partitioning(reader, table)
    if reader.accept("CLUSTERED", "BY"):
        table.bucket_columns = reader.listed(reader.name)
        reader.expect("INTO")
        table.bucket_count = reader.number()
        reader.expect("BUCKETS")
    if reader.accept("ROW", "FORMAT"):
        _read_row_format(reader, table)
    if reader.accept("STORED", "AS"):
        table.formats = _read_stored_as(reader)
        if not table.serde_properties:
            _read_serde_properties(reader, table)
    if reader.accept("LOCATION"):
        table.location = reader.string()
    if reader.accept("TBLPROPERTIES"):
        table.properties = string_pairs(reader)
    reader.expect_end()
    return table


def _read_serde_properties(reader: Reader, table: Definition) -> None:
    if reader.accept("WITH", "SERDEPROPERTIES"):
        table.serde_properties = string_pairs(reader)


def read_column(reader: Reader) -> Column:
    """Read `name type [COMMENT text]`."""
    name = reader.name()
    type_ = read_type(reader)
    return Column(name, type_, reader.string() if reader.accept("COMMENT") else None)


def read_type(reader: Reader) -> str:
    """Read a type, as Hive writes it.

    Raises:
        QueryFailed: Not a type of Athena's DDL.
    """
    start = reader.offset
    reader.keyword()
    if reader.peek() == "<":
        _skip_angles(reader)
    elif reader.peek() == "(":
        reader.skip_parentheses()
    written = reader.text[start : reader.consumed]
    try:
        return types.to_hive(types.parse_hive(written))
    except types.UnsupportedType:
        line, column = position(reader.text, start)
        raise parse_exception(
            line, column, f"cannot recognize input near '{written}' in column type"
        ) from None


def _skip_angles(reader: Reader) -> None:
    depth = 0
    while True:
        depth += (reader.peek() == "<") - (reader.peek() == ">")
        if not reader:
            reader.fail(">")
        reader.place += 1
        if depth == 0:
            return


def _read_partitioning(reader: Reader, table: Definition) -> None:
    def item() -> None:
        if reader.peek() in _TRANSFORMS and reader.peek(1) == "(":
            table.transforms.append(_read_transform(reader))
            return
        name = reader.name()
        if reader.peek() in (",", ")"):
            table.transforms.append(name)
        else:
            type_ = read_type(reader)
            comment = reader.string() if reader.accept("COMMENT") else None
            table.partition_columns.append(Column(name, type_, comment))

    reader.listed(item)


_TRANSFORMS = ("YEAR", "MONTH", "DAY", "HOUR", "BUCKET", "TRUNCATE")


def _read_transform(reader: Reader) -> str:
    transform = reader.keyword().lower()
    reader.expect("(")
    if transform in ("bucket", "truncate"):
        # Athena says bucket(16, id), Trino bucket(id, 16).
        number = reader.number()
        reader.expect(",")
        made = f"{transform}({reader.name()}, {number})"
    else:
        made = f"{transform}({reader.name()})"
    reader.expect(")")
    return made


def _read_row_format(reader: Reader, table: Definition) -> None:
    if reader.accept("SERDE"):
        written = reader.string()
        if written.lower() in _SERDES_NOT_HERE:
            raise not_reproduced(f"The SerDe {written}")
        if written.lower() not in _SERDES:
            raise ddl_task_failed(f"Cannot validate serde: {written}")
        table.serde = _SERDES[written.lower()]
        _read_serde_properties(reader, table)
        return
    reader.expect("DELIMITED")
    table.serde = _LAZY_SIMPLE
    properties = table.serde_properties
    if reader.accept("FIELDS", "TERMINATED", "BY"):
        properties["field.delim"] = properties["serialization.format"] = reader.string()
        if reader.accept("ESCAPED", "BY"):
            properties["escape.delim"] = reader.string()
    if reader.accept("COLLECTION", "ITEMS", "TERMINATED", "BY"):
        # Hive's own misspelling is the name that its readers know.
        properties["colelction.delim"] = reader.string()
    if reader.accept("MAP", "KEYS", "TERMINATED", "BY"):
        properties["mapkey.delim"] = reader.string()
    if reader.accept("LINES", "TERMINATED", "BY"):
        properties["line.delim"] = reader.string()
        if properties["line.delim"] != "\n":
            raise semantic_exception("LINES TERMINATED BY only supports newline '\\n' right now")
    if reader.accept("NULL", "DEFINED", "AS"):
        properties["serialization.null.format"] = reader.string()


def _read_stored_as(reader: Reader) -> _Formats:
    if reader.accept("INPUTFORMAT"):
        input_format = reader.string()
        reader.expect("OUTPUTFORMAT")
        return _Formats(input_format, reader.string(), None)
    if reader.peek() == "ION":
        raise not_reproduced("STORED AS ION")
    return _STORED_AS[reader.choose(*_STORED_AS)]


def create_external_table(reader: Reader, context: Context) -> Outcome:
    """CREATE EXTERNAL TABLE …, of Hive."""
    table = read_definition(reader, context)
    if table.properties.get("table_type", "").upper() == "ICEBERG":
        raise semantic_exception("External keyword not supported for table type ICEBERG")
    _check(table)
    _create_in_glue(context, table)
    return Outcome("DDL", "CREATE_TABLE", None, None)


def _check(table: Definition) -> None:
    if not table.location:
        raise semantic_exception(
            "No location was specified for table. An S3 location must be specified"
        )
    split(table.location)
    if table.transforms:
        raise parse_exception(
            1, 1, f"cannot recognize input near '{table.transforms[0]}' in column type"
        )
    names = [column.name for column in table.columns]
    refuse_duplicates(names)
    for column in table.partition_columns:
        if column.name in names:
            raise semantic_exception(
                f"[Error 10035]: Column repeated in partitioning columns: {column.name}"
            )
    for name in table.bucket_columns:
        if name not in names:
            raise semantic_exception(f"[Error 10002]: Invalid column reference {name}")


def refuse_duplicates(names: list[str]) -> None:
    """Refuse a column name that comes twice."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise semantic_exception(f"[Error 10036]: Duplicate column name: {name}")


def _create_in_glue(context: Context, table: Definition) -> None:
    try:
        context.engine.glue.create_table(
            DatabaseName=table.name.database, TableInput=_in_glue(table)
        )
    except ClientError as error:
        if is_not_found(error):
            raise database_does_not_exist(table.name.database) from error
        if not is_there_already(error):
            raise
        if not table.if_not_exists:
            raise table_is_there_already(table.name) from error


def table_is_there_already(name: TableName) -> QueryFailed:
    """Hive's words for a table that exists."""
    return ddl_task_failed(f"AlreadyExistsException: Table {name.table} already exists")


def _in_glue(table: Definition) -> dict[str, Any]:
    formats = table.formats or _STORED_AS["TEXTFILE"]
    serde = table.serde or formats.serde or _LAZY_SIMPLE
    parameters = {"EXTERNAL": "TRUE"}
    if table.comment is not None:
        parameters["comment"] = table.comment
    parameters |= table.properties
    return {
        "Name": table.name.table,
        "Owner": "hadoop",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [column.in_glue() for column in table.partition_columns],
        "StorageDescriptor": {
            "Columns": [column.in_glue() for column in table.columns],
            "Location": table.location,
            "InputFormat": formats.input,
            "OutputFormat": formats.output,
            "Compressed": False,
            "NumberOfBuckets": table.bucket_count if table.bucket_count is not None else -1,
            "BucketColumns": table.bucket_columns,
            "SortColumns": [],
            "SerdeInfo": {
                "SerializationLibrary": serde,
                "Parameters": {"serialization.format": "1"} | table.serde_properties,
            },
            "StoredAsSubDirectories": False,
        },
    }
