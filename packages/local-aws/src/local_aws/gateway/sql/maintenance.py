"""MSCK REPAIR TABLE, OPTIMIZE and VACUUM."""

from __future__ import annotations

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql.errors import not_supported, semantic_exception
from local_aws.gateway.sql.partitions import path
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.show import lines
from local_aws.gateway.sql.tables import (
    CATALOG,
    TableKind,
    TableName,
    find_table,
    iceberg_properties,
    kind_of,
    partitions_of,
    quoted,
    read_table_name,
    table_not_found,
    text_literal,
)
from local_aws.gateway.sql.trino_text import Body, run, without_rows

# Athena's default of vacuum_max_snapshot_age_seconds: five days.
_DEFAULT_SNAPSHOT_AGE_SECONDS = 432_000


def msck_repair(reader: Reader, context: Context) -> Outcome:
    """MSCK REPAIR TABLE name: registers the folders that Glue does not have; it removes none."""
    name = read_table_name(reader, context)
    reader.expect_end()
    table = find_table(context, name)
    if table is None:
        raise table_not_found(name)
    keys = [column["Name"] for column in table.get("PartitionKeys", [])]
    if kind_of(table) is not TableKind.HIVE or not keys:
        raise semantic_exception(f"[Error 10241]: Table {name.table} is not a partitioned table")
    before = _partitions(context, name)
    context.engine.trino(
        f"CALL {quoted(CATALOG)}.system.sync_partition_metadata("
        f"{text_literal(name.database)}, {text_literal(name.table)}, 'ADD')"
    )
    added = sorted(path(keys, values) for values in _partitions(context, name) - before)
    found = [f"Partitions not in metastore:\t{name.table}:{partition}" for partition in added]
    found += [f"Repair: Added partition to metastore {name.table}:{p}" for p in added]
    return Outcome("DDL", "MSCK_REPAIR", lines("result", found), None)


def _partitions(context: Context, name: TableName) -> set[tuple[str, ...]]:
    return {tuple(partition["Values"]) for partition in partitions_of(context, name)}


def optimize(reader: Reader, context: Context) -> Outcome:
    """OPTIMIZE name REWRITE DATA USING BIN_PACK [WHERE predicate], of an Iceberg table."""
    name = _iceberg_table(reader, context, "OPTIMIZE")
    reader.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    if reader and reader.peek() != "WHERE":
        reader.fail("WHERE", "<EOF>")
    body = Body(reader.text, reader.consumed, reader.end)
    head = f"ALTER TABLE {name.in_trino(TableKind.ICEBERG)} EXECUTE optimize"
    return Outcome("DML", "OPTIMIZE", without_rows(run(context, head, body)), None)


def vacuum(reader: Reader, context: Context) -> Outcome:
    """VACUUM name: expires an Iceberg table's old snapshots, then removes files of none."""
    name = _iceberg_table(reader, context, "VACUUM")
    reader.expect_end()
    age = iceberg_properties(context, name).get(
        "vacuum_max_snapshot_age_seconds", str(_DEFAULT_SNAPSHOT_AGE_SECONDS)
    )
    alter = f"ALTER TABLE {name.in_trino(TableKind.ICEBERG)} EXECUTE"
    threshold = f"(retention_threshold => '{int(age)}s')"
    context.engine.trino(f"{alter} expire_snapshots{threshold}")
    context.engine.trino(f"{alter} remove_orphan_files{threshold}")
    return Outcome("DDL", "VACUUM", None, None)


def _iceberg_table(reader: Reader, context: Context, what: str) -> TableName:
    name = read_table_name(reader, context)
    table = find_table(context, name)
    if table is None:
        raise table_not_found(name)
    if kind_of(table) is not TableKind.ICEBERG:
        raise not_supported(f"{what} is only supported for Iceberg tables")
    return name
