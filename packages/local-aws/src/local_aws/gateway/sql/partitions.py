"""Partitions of Hive tables in Glue: added, dropped, moved, renamed, repaired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Context, QueryFailed
from local_aws.gateway.sql.errors import ddl_task_failed, semantic_exception
from local_aws.gateway.sql.reader import Reader
from local_aws.gateway.sql.storage import split
from local_aws.gateway.sql.tables import (
    TableName,
    is_not_found,
    is_there_already,
    partitions_of,
)
from local_aws.gateway.sql.tokens import Kind

# Characters that Hive does not put into the name of a folder.
_ESCAPED = "\"#%'*/:=?\\{[]^\x7f"

# Value by column.
Partition = dict[str, str]


def read_partition(reader: Reader) -> Partition:
    """Read `(column = value, …)`."""

    def pair() -> tuple[str, str]:
        name = reader.name()
        reader.expect("=")
        return name, _value(reader)

    return dict(reader.listed(pair))


def _value(reader: Reader) -> str:
    # DATE '2024-01-02' names the same partition as '2024-01-02'.
    reader.accept("DATE")
    if reader.peek_kind() is Kind.STRING:
        return reader.string()
    return reader.expression(",", ")")


def _keys(name: TableName, table: dict[str, Any]) -> list[str]:
    keys = [column["Name"] for column in table.get("PartitionKeys", [])]
    if not keys:
        raise semantic_exception(f"[Error 10241]: Table {name.table} is not a partitioned table")
    return keys


def _values(name: TableName, table: dict[str, Any], partition: Partition) -> list[str]:
    keys = _keys(name, table)
    if sorted(partition) != sorted(keys):
        raise semantic_exception(
            "[Error 10006]: Partition spec {"
            + ", ".join(f"{key}={value}" for key, value in partition.items())
            + f"}} does not name all partition columns and only those: {', '.join(keys)}"
        )
    return [partition[key] for key in keys]


def path(keys: Sequence[str], values: Sequence[str]) -> str:
    """A partition as SHOW PARTITIONS and the folders have it: `k=v/k=v`."""
    return "/".join(f"{k}={_escaped(v)}" for k, v in zip(keys, values, strict=True))


def _escaped(value: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in _ESCAPED or c < " " else c for c in value)


def add_partitions(
    context: Context,
    name: TableName,
    table: dict[str, Any],
    added: Sequence[tuple[Partition, str | None]],
    *,
    if_not_exists: bool,
) -> None:
    """Register partitions; without a location of its own one lies in the table's folder."""
    keys = _keys(name, table)
    root = table["StorageDescriptor"]["Location"].rstrip("/")
    for partition, location in added:
        values = _values(name, table, partition)
        place = location or f"{root}/{path(keys, values)}/"
        split(place)
        made = {
            "Values": values,
            "StorageDescriptor": table["StorageDescriptor"] | {"Location": place},
        }
        try:
            context.engine.glue.create_partition(
                DatabaseName=name.database, TableName=name.table, PartitionInput=made
            )
        except ClientError as error:
            if not is_there_already(error):
                raise
            if not if_not_exists:
                raise _partition_is_there(name, keys, values) from error


def drop_partitions(
    context: Context,
    name: TableName,
    table: dict[str, Any],
    dropped: Sequence[Partition],
    *,
    if_exists: bool,
) -> None:
    """Forget partitions; one that names some of the columns means all that match."""
    keys = _keys(name, table)
    for partition in dropped:
        for key in partition:
            if key not in keys:
                raise semantic_exception(f"[Error 10098]: Non-Partition column {key}")
        matching = [
            found["Values"]
            for found in partitions_of(context, name)
            if _matches(keys, found["Values"], partition)
        ]
        if not matching and not if_exists:
            raise semantic_exception(
                "[Error 10006]: Partition not found ("
                + ", ".join(f"{key} = '{value}'" for key, value in partition.items())
                + ")"
            )
        for values in matching:
            context.engine.glue.delete_partition(
                DatabaseName=name.database, TableName=name.table, PartitionValues=values
            )


def _matches(keys: Sequence[str], values: Sequence[str], partition: Partition) -> bool:
    held = dict(zip(keys, values, strict=True))
    return all(held[key] == value for key, value in partition.items())


def set_partition_location(
    context: Context, name: TableName, table: dict[str, Any], partition: Partition, location: str
) -> None:
    """Let a partition lie elsewhere."""
    values = _values(name, table, partition)
    held = _get(context, name, values, partition)
    moved = held | {"StorageDescriptor": held["StorageDescriptor"] | {"Location": location}}
    _update(context, name, values, moved)


def rename_partition(
    context: Context, name: TableName, table: dict[str, Any], old: Partition, new: Partition
) -> None:
    """Give a partition other values; its files stay where they are."""
    values = _values(name, table, old)
    held = _get(context, name, values, old)
    renamed = _values(name, table, new)
    try:
        _update(context, name, values, held | {"Values": renamed})
    except ClientError as error:
        if is_there_already(error):
            raise _partition_is_there(name, _keys(name, table), renamed) from error
        raise


def _get(
    context: Context, name: TableName, values: list[str], partition: Partition
) -> dict[str, Any]:
    try:
        found = context.engine.glue.get_partition(
            DatabaseName=name.database, TableName=name.table, PartitionValues=values
        )
    except ClientError as error:
        if is_not_found(error):
            raise semantic_exception(f"[Error 10006]: Partition not found {partition}") from error
        raise
    held: dict[str, Any] = found["Partition"]
    return held


def _partition_is_there(name: TableName, keys: Sequence[str], values: Sequence[str]) -> QueryFailed:
    return ddl_task_failed(
        f"AlreadyExistsException: Partition already exists: {name.table} {path(keys, values)}"
    )


def _update(
    context: Context, name: TableName, values: list[str], partition: dict[str, Any]
) -> None:
    context.engine.glue.update_partition(
        DatabaseName=name.database,
        TableName=name.table,
        PartitionValueList=values,
        PartitionInput={
            key: partition[key]
            for key in ("Values", "StorageDescriptor", "Parameters")
            if partition.get(key) is not None
        },
    )
