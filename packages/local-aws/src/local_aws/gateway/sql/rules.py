"""What Athena refuses and Trino 476 would take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.gateway.engine import Column, QueryFailed
from local_aws.gateway.sql import types
from local_aws.gateway.sql.errors import not_supported, refusal
from local_aws.gateway.sql.newer_functions import NEWER_FUNCTIONS
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.tables import TableKind, TableName, kind_of
from local_aws.gateway.sql.tokens import Kind, Token, position

# Athena counts the open partitions of a whole statement. Trino counts them per writer, so a
# statement into partitions gets one writer only.
ONE_WRITER = {
    "task_max_writer_count": "1",
    "task_min_writer_count": "1",
    "use_preferred_write_partitioning": "false",
    "scale_writers": "false",
    "redistribute_writes": "false",
}

MAX_ARRAY_ELEMENTS = 254
MAX_QUERY_BYTES = 262_144

# Catalogues that Trino has here and Athena has not, the words that a table's name follows, and
# the words that end a list of tables.
_HIDDEN_CATALOGS = ("iceberg", "system")
_BEFORE_A_TABLE = ("FROM", "JOIN", "INTO", "UPDATE", "USING", "TABLE")
_AFTER_TABLES = (
    *("SELECT", "VALUES", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "OFFSET", "LIMIT"),
    *("FETCH", "UNION", "INTERSECT", "EXCEPT", "SET", "WHEN"),
)

# SerDes of Hive tables that Athena writes to; the others it only reads.
_WRITABLE_SERDES = {
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
    "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    "org.apache.hive.hcatalog.data.JsonSerDe",
}

# Iceberg of Athena's engine stores these; Trino 476 quietly stores others in a wider type.
_ICEBERG_TYPES = {
    "boolean",
    "integer",
    "bigint",
    "real",
    "double",
    "decimal",
    "date",
    "timestamp",
    "timestamp with time zone",
    "varchar",
    "varbinary",
}


def check_length(query: str) -> None:
    """Refuse a statement that is longer than Athena takes."""
    n_bytes = len(query.encode())
    if n_bytes > MAX_QUERY_BYTES:
        raise refusal(
            "QUERY_TEXT_TOO_LARGE",
            f"Query text has {n_bytes} bytes, the maximum is {MAX_QUERY_BYTES}",
        )


def check_query(reader: Reader) -> None:
    """Refuse in a query what only newer Trino has, and what Athena limits.

    Args:
        reader: The statement; all its tokens are looked at.

    Raises:
        QueryFailed: As Athena's engine says it.
    """
    tokens = reader.tokens
    for place, token in enumerate(tokens):
        if token.kind is Kind.NUMBER:
            _check_number(reader, place)
        elif token.word == "WITH" and _word(tokens, place + 1) in ("FUNCTION", "SESSION"):
            _check_inline(reader, place + 2)
        elif token.word == "ARRAY" and _word(tokens, place + 1) == "[":
            _check_array(reader, place + 1)
        elif _name(token) in NEWER_FUNCTIONS and _is_call(tokens, place):
            message = f"Function '{_name(token)}' not registered"
            raise _at(reader, token, "FUNCTION_NOT_FOUND", message)
    for place in _tables(tokens):
        if _names_hidden_catalog(tokens, place):
            message = f"Catalog '{_name(tokens[place])}' does not exist"
            raise _at(reader, tokens[place], "CATALOG_NOT_FOUND", message)


def _tables(tokens: list[Token]) -> Iterator[int]:
    """The places where a table's name may be."""
    # For each open parenthesis, whether it stands in a list of tables now.
    in_list = [False]
    for place, token in enumerate(tokens):
        before = _word(tokens, place - 1)
        is_table = before in _BEFORE_A_TABLE or (in_list[-1] and before in (",", "("))
        if is_table:
            yield place
        if token.word == "(":
            in_list.append(is_table)
        elif token.word == ")" and len(in_list) > 1:
            in_list.pop()
        elif token.word == "FROM":
            # `is distinct from` compares.
            in_list[-1] = before != "DISTINCT"
        elif token.word in _AFTER_TABLES:
            in_list[-1] = False


def _names_hidden_catalog(tokens: list[Token], place: int) -> bool:
    if place + 3 >= len(tokens) or _name(tokens[place]) not in _HIDDEN_CATALOGS:
        return False
    return tokens[place + 1].word == "." and tokens[place + 3].word == "."


def _name(token: Token) -> str:
    return token.text.strip('"').lower() if token.kind in (Kind.WORD, Kind.QUOTED) else ""


def _word(tokens: list[Token], place: int) -> str:
    return tokens[place].word if 0 <= place < len(tokens) else ""


def _at(reader: Reader, token: Token, name: str, message: str) -> QueryFailed:
    line, column = position(reader.text, token.offset)
    return refusal(name, f"line {line}:{column}: {message}")


def _check_number(reader: Reader, place: int) -> None:
    token = reader.tokens[place]
    following = reader.tokens[place + 1] if place + 1 < len(reader.tokens) else None
    glued = following is not None and following.kind is Kind.WORD and following.offset == token.end
    if glued or "_" in token.text:
        raise _at(
            reader,
            token,
            "SYNTAX_ERROR",
            "identifiers must not start with a digit; surround the identifier with double quotes",
        )


def _check_inline(reader: Reader, place: int) -> None:
    # A common table expression may be called function or session.
    if _word(reader.tokens, place) not in ("AS", "("):
        reader.place = place
        reader.fail("AS", "(")


def _check_array(reader: Reader, bracket: int) -> None:
    depth, elements = 0, 1
    for token in reader.tokens[bracket : _closing(reader.tokens, bracket)]:
        depth += (token.word in ("[", "(")) - (token.word in ("]", ")"))
        elements += depth == 1 and token.word == ","
    if elements > MAX_ARRAY_ELEMENTS:
        raise _at(
            reader,
            reader.tokens[bracket - 1],
            "NOT_SUPPORTED",
            "Too many arguments for array constructor",
        )


def _is_call(tokens: list[Token], place: int) -> bool:
    if _word(tokens, place + 1) != "(":
        return False
    # After these words stands a name, and what follows it are its columns.
    if _word(tokens, place - 1) in (".", "AS", ")", "INTO"):
        return False
    end = _closing(tokens, place + 1) + 1
    is_table_expression = _word(tokens, end) == "AS" and _word(tokens, end + 1) == "("
    return not is_table_expression


def _closing(tokens: list[Token], opening: int) -> int:
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place].word in ("(", "[")) - (tokens[place].word in (")", "]"))
        if depth == 0:
            return place
    return len(tokens)


def is_partitioned(table: dict[str, Any]) -> bool:
    """Whether writing opens partitions; Glue does not say so of Iceberg, which counts as yes."""
    return kind_of(table) is TableKind.ICEBERG or bool(table.get("PartitionKeys"))


def check_insert(name: TableName, table: dict[str, Any]) -> None:
    """Refuse INSERT where Athena does: views, bucketed tables, SerDes that are only read."""
    kind = kind_of(table)
    if kind is TableKind.VIEW:
        raise not_supported("Inserting into views is not supported")
    if kind is TableKind.ICEBERG:
        return
    storage = table["StorageDescriptor"]
    if storage.get("BucketColumns"):
        raise not_supported(f"INSERT INTO is not supported on bucketed tables: {name}")
    serde = storage.get("SerdeInfo", {}).get("SerializationLibrary", "")
    if serde and serde not in _WRITABLE_SERDES:
        raise refusal(
            "HIVE_UNSUPPORTED_FORMAT",
            f"Output format {storage.get('OutputFormat', '')} with SerDe {serde} is not supported.",
        )


def refuse_changed_rows(table: dict[str, Any]) -> None:
    """UPDATE, DELETE and MERGE are for Iceberg tables."""
    if kind_of(table) is TableKind.VIEW:
        raise not_supported("Updating or deleting rows of views is not supported")
    raise not_supported("Modifying Hive table rows is only supported for transactional tables")


def check_iceberg_columns(columns: list[Column]) -> None:
    """Refuse columns of a CTAS that Athena's Iceberg does not store as they are."""
    for column in columns:
        for type_ in types.leaves(types.parse_trino(column.trino_type)):
            if type_.name not in _ICEBERG_TYPES:
                raise not_supported(f"Type not supported for Iceberg: {types.to_trino(type_)}")
            base, _, zone = type_.name.partition(" ")
            if base == "timestamp" and type_.numbers and type_.numbers != (6,):
                allowed = f"{base}(6) {zone}".rstrip()
                raise not_supported(
                    f"Timestamp precision ({type_.numbers[0]}) not supported for "
                    f'Iceberg. Use "{allowed}" instead.'
                )


def check_view_columns(columns: list[Column]) -> None:
    """Refuse columns of a view that Glue has no type for."""
    for column in columns:
        try:
            types.trino_to_hive(column.trino_type)
        except types.UnsupportedType as error:
            raise not_supported(
                f"Invalid column type for column {column.name}: "
                f"Unsupported Hive type: {error.type_text}"
            ) from error
