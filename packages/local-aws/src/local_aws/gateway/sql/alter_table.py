"""ALTER TABLE and DROP TABLE: Hive tables are changed in Glue, Iceberg tables by Trino."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql import iceberg_tables
from local_aws.gateway.sql.databases import string_pairs
from local_aws.gateway.sql.errors import (
    ddl_task_failed,
    not_reproduced,
    not_supported,
    semantic_exception,
)
from local_aws.gateway.sql.external_tables import Column, read_column, refuse_duplicates
from local_aws.gateway.sql.partitions import (
    Partition,
    add_partitions,
    drop_partitions,
    read_partition,
    rename_partition,
    set_partition_location,
)
from local_aws.gateway.sql.properties import map_of
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import split
from local_aws.gateway.sql.tables import (
    TableKind,
    TableName,
    find_table,
    forget_table,
    kind_of,
    quoted,
    read_table_name,
    table_not_found,
    text_literal,
    update_table,
)


@dataclass(frozen=True)
class _Altered:
    """The table that a statement changes, as Glue holds it."""

    name: TableName
    glue: dict[str, Any]
    kind: TableKind

    @property
    def columns(self) -> list[dict[str, str]]:
        """Its columns without those of its partitions; changes to the list change `glue`."""
        found: list[dict[str, str]] = self.glue["StorageDescriptor"]["Columns"]
        return found


def alter_table(reader: Reader, context: Context) -> Outcome:
    """ALTER TABLE name …, one of the changes of `_CHANGES`."""
    start = reader.place
    name = read_table_name(reader, context, with_catalog=True)
    n_tokens = reader.place - start
    change = next((change for words, change in _CHANGES if reader.accept(*words)), None)
    if n_tokens == _FULL_NAME and change not in _BY_FULL_NAME:
        reader.place = start + _FULL_NAME - 2
        reader.fail("<EOF>")
    if change is None:
        reader.fail("ADD", "CHANGE", "DROP", "PARTITION", "RENAME", "REPLACE", "SET", "UNSET")
    glue = find_table(context, name)
    if glue is None:
        raise table_not_found(name)
    table = _Altered(name, glue, kind_of(glue))
    if table.kind is TableKind.VIEW:
        raise semantic_exception(
            "[Error 10131]: To alter a view you need to use the ALTER VIEW command."
        )
    change(reader, context, table)
    return Outcome("DDL", "ALTER_TABLE", None, None)


def _set_properties(reader: Reader, context: Context, table: _Altered) -> None:
    """SET TBLPROPERTIES ('name' = 'value', …)."""
    properties = string_pairs(reader)
    reader.expect_end()
    if table.kind is TableKind.ICEBERG:
        changed = iceberg_tables.upkeep_properties(properties)
        iceberg_tables.alter(
            context, table.name, f"SET PROPERTIES extra_properties = {map_of(changed)}"
        )
        return
    parameters = table.glue.setdefault("Parameters", {})
    parameters.update(properties)
    update_table(context, table.name, table.glue)


def _unset_properties(reader: Reader, context: Context, table: _Altered) -> None:
    """UNSET TBLPROPERTIES ('name', …), of an Iceberg table."""
    names = reader.listed(reader.string)
    reader.expect_end()
    if table.kind is not TableKind.ICEBERG:
        raise not_supported("UNSET TBLPROPERTIES is only supported for Iceberg tables")
    raise not_reproduced(f"UNSET TBLPROPERTIES ({', '.join(map(text_literal, names))})")


def _set_location(reader: Reader, context: Context, table: _Altered) -> None:
    """SET LOCATION 's3://…', of a Hive table."""
    location = reader.string()
    reader.expect_end()
    _require_hive(table, "SET LOCATION")
    split(location)
    table.glue["StorageDescriptor"]["Location"] = location
    update_table(context, table.name, table.glue)


def _add_columns(reader: Reader, context: Context, table: _Altered) -> None:
    """ADD COLUMNS (name type [COMMENT …], …)."""
    added = reader.listed(lambda: read_column(reader))
    reader.expect_end()
    refuse_duplicates([found["Name"] for found in _all_columns(table)] + [c.name for c in added])
    if table.kind is TableKind.ICEBERG:
        for column in added:
            iceberg_tables.alter(
                context, table.name, f"ADD COLUMN {iceberg_tables.column_sql(column)}"
            )
        return
    table.columns.extend(column.in_glue() for column in added)
    update_table(context, table.name, table.glue)


def _replace_columns(reader: Reader, context: Context, table: _Altered) -> None:
    """REPLACE COLUMNS (name type [COMMENT …], …), of a Hive table."""
    columns = reader.listed(lambda: read_column(reader))
    reader.expect_end()
    _require_hive(table, "REPLACE COLUMNS")
    refuse_duplicates([column.name for column in columns])
    table.columns[:] = [column.in_glue() for column in columns]
    update_table(context, table.name, table.glue)


def _drop_column(reader: Reader, context: Context, table: _Altered) -> None:
    """DROP COLUMN name, of an Iceberg table."""
    column = reader.name()
    reader.expect_end()
    if table.kind is not TableKind.ICEBERG:
        raise not_supported("DROP COLUMN is only supported for Iceberg tables")
    iceberg_tables.alter(context, table.name, f"DROP COLUMN {quoted(column)}")


def _change_column(reader: Reader, context: Context, table: _Altered) -> None:
    """CHANGE [COLUMN] name new_name type [COMMENT …] [FIRST | AFTER other]."""
    reader.accept("COLUMN")
    old = reader.name()
    column = read_column(reader)
    moved_after = _place(reader)
    reader.expect_end()
    places = [n for n, found in enumerate(table.columns) if found["Name"] == old]
    if not places:
        raise semantic_exception(f"[Error 10002]: Invalid column reference {old}")
    if table.kind is TableKind.ICEBERG:
        _change_iceberg_column(context, table, table.columns[places[0]], column, moved_after)
        return
    changed = column.in_glue()
    if column.comment is None and "Comment" in table.columns[places[0]]:
        changed["Comment"] = table.columns[places[0]]["Comment"]
    del table.columns[places[0]]
    others = [found["Name"] for found in table.columns]
    refuse_duplicates([*others, column.name])
    place = places[0]
    if moved_after is not None:
        if moved_after and moved_after not in others:
            raise semantic_exception(f"[Error 10002]: Invalid column reference {moved_after}")
        place = others.index(moved_after) + 1 if moved_after else 0
    table.columns.insert(place, changed)
    update_table(context, table.name, table.glue)


def _place(reader: Reader) -> str | None:
    """The column that comes before, empty for the first place, None when it is not said."""
    if reader.accept("FIRST"):
        return ""
    return reader.name() if reader.accept("AFTER") else None


def _change_iceberg_column(
    context: Context,
    table: _Altered,
    old: dict[str, str],
    column: Column,
    moved_after: str | None,
) -> None:
    if moved_after is not None:
        raise not_reproduced("CHANGE COLUMN … FIRST or AFTER of an Iceberg table")
    if column.name != old["Name"]:
        iceberg_tables.alter(
            context,
            table.name,
            f"RENAME COLUMN {quoted(old['Name'])} TO {quoted(column.name)}",
        )
    if column.type != old["Type"]:
        type_ = iceberg_tables.type_sql(column.type)
        iceberg_tables.alter(
            context, table.name, f"ALTER COLUMN {quoted(column.name)} SET DATA TYPE {type_}"
        )
    if column.comment is not None:
        target = f"{table.name.in_trino(TableKind.ICEBERG)}.{quoted(column.name)}"
        context.engine.trino(f"COMMENT ON COLUMN {target} IS {text_literal(column.comment)}")


def _rename(reader: Reader, context: Context, table: _Altered) -> None:
    """RENAME TO name, of an Iceberg table."""
    new = read_table_name(reader, context)
    reader.expect_end()
    if table.kind is not TableKind.ICEBERG:
        raise not_supported("RENAME TO is only supported for Iceberg tables")
    iceberg_tables.alter(context, table.name, f"RENAME TO {new.in_trino(TableKind.ICEBERG)}")


def _add_partitions(reader: Reader, context: Context, table: _Altered) -> None:
    """ADD [IF NOT EXISTS] PARTITION (…) [LOCATION …], once or more."""
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    added: list[tuple[Partition, str | None]] = []
    while reader:
        reader.expect("PARTITION")
        partition = read_partition(reader)
        added.append((partition, reader.string() if reader.accept("LOCATION") else None))
    if not added:
        reader.fail("PARTITION")
    _require_hive(table, "ADD PARTITION")
    add_partitions(context, table.name, table.glue, added, if_not_exists=if_not_exists)


def _drop_partitions(reader: Reader, context: Context, table: _Altered) -> None:
    """DROP [IF EXISTS] PARTITION (…) [, PARTITION (…)]."""
    if_exists = reader.accept("IF", "EXISTS")
    dropped: list[Partition] = []
    while not dropped or reader.accept(","):
        reader.expect("PARTITION")
        dropped.append(read_partition(reader))
    reader.expect_end()
    _require_hive(table, "DROP PARTITION")
    drop_partitions(context, table.name, table.glue, dropped, if_exists=if_exists)


def _one_partition(reader: Reader, context: Context, table: _Altered) -> None:
    """PARTITION (…) SET LOCATION '…' or RENAME TO PARTITION (…)."""
    partition = read_partition(reader)
    if reader.accept("SET"):
        reader.expect("LOCATION")
        location = reader.string()
        reader.expect_end()
        _require_hive(table, "PARTITION")
        split(location)
        set_partition_location(context, table.name, table.glue, partition, location)
        return
    if reader.peek() in ("ADD", "REPLACE"):
        raise not_reproduced("PARTITION … ADD or REPLACE COLUMNS")
    reader.expect("RENAME", "TO", "PARTITION")
    new = read_partition(reader)
    reader.expect_end()
    _require_hive(table, "PARTITION")
    rename_partition(context, table.name, table.glue, partition, new)


_CHANGES: tuple[tuple[tuple[str, ...], Callable[[Reader, Context, _Altered], None]], ...] = (
    (("SET", "TBLPROPERTIES"), _set_properties),
    (("UNSET", "TBLPROPERTIES"), _unset_properties),
    (("SET", "LOCATION"), _set_location),
    (("ADD", "COLUMNS"), _add_columns),
    (("REPLACE", "COLUMNS"), _replace_columns),
    (("DROP", "COLUMN"), _drop_column),
    (("CHANGE",), _change_column),
    (("RENAME", "TO"), _rename),
    (("ADD",), _add_partitions),
    (("DROP",), _drop_partitions),
    (("PARTITION",), _one_partition),
)
# A name with its catalogue has three words and two dots. dbt-athena sends such with these changes;
# with others Hive's parser stops at the second dot.
_FULL_NAME = 5
_BY_FULL_NAME = (_add_columns, _drop_column, _change_column)


def drop_table(reader: Reader, context: Context) -> Outcome:
    """DROP TABLE [IF EXISTS] name; files of a Hive table stay, those of an Iceberg table go."""
    if_exists = reader.accept("IF", "EXISTS")
    name = read_table_name(reader, context)
    reader.accept("PURGE")
    reader.expect_end()
    table = find_table(context, name)
    if table is None:
        if if_exists:
            return Outcome("DDL", "DROP_TABLE", None, None)
        raise table_not_found(name)
    kind = kind_of(table)
    if kind is TableKind.VIEW:
        raise semantic_exception("[Error 10132]: Cannot drop a view with DROP TABLE")
    if kind is TableKind.ICEBERG:
        context.engine.trino(f"DROP TABLE {name.in_trino(kind)}")
    else:
        forget_table(context, name)
    return Outcome("DDL", "DROP_TABLE", None, None)


def _all_columns(table: _Altered) -> list[dict[str, str]]:
    return [*table.columns, *table.glue.get("PartitionKeys", [])]


def _require_hive(table: _Altered, what: str) -> None:
    if table.kind is not TableKind.HIVE:
        raise ddl_task_failed(f"{what} is not supported for table type ICEBERG")
