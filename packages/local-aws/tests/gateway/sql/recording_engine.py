"""An engine that records what it is asked, with Glue and S3 in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local_aws.gateway.engine import Column, Outcome, QueryFailed, TrinoResult

EXECUTION_ID = "11111111-2222-3333-4444-555555555555"


def _not_found(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "EntityNotFoundException", "Message": ""}}, operation)


class FakeGlue:
    """The calls of Glue that statements make, on dictionaries."""

    def __init__(self) -> None:
        self.databases: dict[str, dict[str, Any]] = {"d": {"Name": "d"}}
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.partitions: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def get_database(self, Name: str) -> dict[str, Any]:
        if Name not in self.databases:
            raise _not_found("GetDatabase")
        return {"Database": copy.deepcopy(self.databases[Name])}

    def create_database(self, DatabaseInput: dict[str, Any]) -> None:
        if DatabaseInput["Name"] in self.databases:
            raise ClientError(
                {"Error": {"Code": "AlreadyExistsException", "Message": ""}}, "CreateDatabase"
            )
        self.databases[DatabaseInput["Name"]] = DatabaseInput
        self.changes.append(("create_database", DatabaseInput))

    def update_database(self, Name: str, DatabaseInput: dict[str, Any]) -> None:
        self.databases[Name] = DatabaseInput
        self.changes.append(("update_database", DatabaseInput))

    def delete_database(self, Name: str) -> None:
        del self.databases[Name]
        self.changes.append(("delete_database", {"Name": Name}))

    def get_table(self, DatabaseName: str, Name: str) -> dict[str, Any]:
        if (DatabaseName, Name) not in self.tables:
            raise _not_found("GetTable")
        return {"Table": copy.deepcopy(self.tables[DatabaseName, Name])}

    def create_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        if DatabaseName not in self.databases:
            raise _not_found("CreateTable")
        if (DatabaseName, TableInput["Name"]) in self.tables:
            raise ClientError(
                {"Error": {"Code": "AlreadyExistsException", "Message": ""}}, "CreateTable"
            )
        self.tables[DatabaseName, TableInput["Name"]] = TableInput
        self.changes.append(("create_table", TableInput))

    def update_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:
        self.tables[DatabaseName, TableInput["Name"]] = TableInput
        self.changes.append(("update_table", TableInput))

    def delete_table(self, DatabaseName: str, Name: str) -> None:
        self.changes.append(("delete_table", {"DatabaseName": DatabaseName, "Name": Name}))
        if self.tables.pop((DatabaseName, Name), None) is None:
            raise _not_found("DeleteTable")

    def get_partition(
        self, DatabaseName: str, TableName: str, PartitionValues: list[str]
    ) -> dict[str, Any]:
        for found in self.partitions.get((DatabaseName, TableName), []):
            if found["Values"] == PartitionValues:
                return {"Partition": copy.deepcopy(found)}
        raise _not_found("GetPartition")

    def create_partition(
        self, DatabaseName: str, TableName: str, PartitionInput: dict[str, Any]
    ) -> None:
        held = self.partitions.setdefault((DatabaseName, TableName), [])
        if any(found["Values"] == PartitionInput["Values"] for found in held):
            raise ClientError(
                {"Error": {"Code": "AlreadyExistsException", "Message": ""}}, "CreatePartition"
            )
        held.append(PartitionInput)
        self.changes.append(("create_partition", PartitionInput))

    def update_partition(
        self,
        DatabaseName: str,
        TableName: str,
        PartitionValueList: list[str],
        PartitionInput: dict[str, Any],
    ) -> None:
        held = self.partitions[DatabaseName, TableName]
        place = [found["Values"] for found in held].index(PartitionValueList)
        others = held[:place] + held[place + 1 :]
        if any(found["Values"] == PartitionInput["Values"] for found in others):
            raise ClientError(
                {"Error": {"Code": "AlreadyExistsException", "Message": ""}}, "UpdatePartition"
            )
        held[place] = PartitionInput
        self.changes.append(("update_partition", PartitionInput))

    def delete_partition(
        self, DatabaseName: str, TableName: str, PartitionValues: list[str]
    ) -> None:
        held = self.partitions[DatabaseName, TableName]
        held[:] = [found for found in held if found["Values"] != PartitionValues]
        self.changes.append(("delete_partition", {"Values": PartitionValues}))

    def get_paginator(self, operation: str) -> FakePages:
        def pages(**arguments: str) -> Iterator[dict[str, Any]]:
            if operation == "get_databases":
                yield {"DatabaseList": list(self.databases.values())}
            elif operation == "get_tables":
                if arguments["DatabaseName"] not in self.databases:
                    raise _not_found("GetTables")
                # Two pages, so that nobody stops after the first.
                found = [t for (db, _), t in self.tables.items() if db == arguments["DatabaseName"]]
                yield {"TableList": found[:1]}
                yield {"TableList": found[1:]}
            else:
                key = (arguments["DatabaseName"], arguments["TableName"])
                found = self.partitions.get(key, [])
                yield {"Partitions": found[:1]}
                yield {"Partitions": found[1:]}

        return FakePages(pages)


@dataclass(frozen=True)
class FakePages:
    """A paginator of boto3."""

    paginate: Callable[..., Iterator[dict[str, Any]]]


class FakeS3:
    """S3 with the keys of objects and nothing in them."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int = 1000) -> dict[str, Any]:
        start = f"s3://{Bucket}/"
        keys = sorted(a[len(start) :] for a in self.addresses if a.startswith(start + Prefix))
        return {"Contents": [{"Key": key} for key in keys[:MaxKeys]]} if keys else {}

    def get_paginator(self, operation: str) -> FakePages:
        assert operation == "list_objects_v2"

        def pages(**arguments: Any) -> Iterator[dict[str, Any]]:
            yield self.list_objects_v2(**arguments)

        return FakePages(pages)


@dataclass
class Ran:
    """One statement that Trino got."""

    sql: str
    schema: str | None
    session: dict[str, str]


@dataclass
class FakeEngine:
    """Records statements; each gives `columns` and `rows`, or fails with `failure`."""

    glue: FakeGlue = field(default_factory=FakeGlue)
    s3: FakeS3 = field(default_factory=FakeS3)
    ran: list[Ran] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    failure: QueryFailed | None = None
    on_trino: Callable[[str], None] = lambda sql: None

    def trino(
        self,
        sql: str,
        *,
        schema: str | None = None,
        session: Mapping[str, str] | None = None,
    ) -> TrinoResult:
        self.ran.append(Ran(sql, schema, dict(session or {})))
        if self.failure:
            raise self.failure
        self.on_trino(sql)
        return TrinoResult(
            columns=self.columns,
            rows=self.rows,
            update_count=3,
            scanned_bytes=10,
        )

    def sql(self) -> list[str]:
        """The statements alone."""
        return [ran.sql for ran in self.ran]


HIVE_TABLE = {
    "TableType": "EXTERNAL_TABLE",
    "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
    "PartitionKeys": [],
    "StorageDescriptor": {
        "Columns": [{"Name": "a", "Type": "int"}, {"Name": "b", "Type": "string", "Comment": "bb"}],
        "Location": "s3://lake/d/h/",
        "InputFormat": "in",
        "OutputFormat": "out",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
    },
}


def hive_table(name: str, **changes: Any) -> dict[str, Any]:
    """A Hive table of Glue with columns a int, b string."""
    return copy.deepcopy(HIVE_TABLE) | {"Name": name} | changes


Run = Callable[..., Outcome]
