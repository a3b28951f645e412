"""Glue through boto3, and as Trino's agent sees it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .gateway_server import Gateway

TRINO = "aws-sdk-java/2.31.1 md/io#sync"


def make_table(gateway: Gateway, database: str, name: str = "t", **more: Any) -> dict[str, str]:
    """A table; what names it in a request."""
    table: dict[str, Any] = {"Name": name, "StorageDescriptor": {"Columns": []}} | more
    gateway.glue.create_table(DatabaseName=database, TableInput=table)
    return {"DatabaseName": database, "TableName": name}


def partitioned(
    gateway: Gateway, database: str, keys: dict[str, str], values: list[list[str]]
) -> dict[str, str]:
    """A table with partitions."""
    table = make_table(
        gateway,
        database,
        PartitionKeys=[{"Name": name, "Type": kind} for name, kind in keys.items()],
    )
    gateway.glue.batch_create_partition(
        **table,
        PartitionInputList=[
            {"Values": each, "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}}
            for each in values
        ],
    )
    return table


DAYS = ["2023-12-31", "2024-01-01", "2024-01-02", "2024-02-01"]


@pytest.mark.parametrize(
    ("kind", "expression", "found"),
    [
        # dbt-athena's own forms: one partition, several, and of two keys.
        ("string", "(d='2024-01-01')", DAYS[1:2]),
        ("string", "(d='2024-01-01') or (d='2024-02-01')", [DAYS[1], DAYS[3]]),
        ("string", "(d='2024-01-01' and n=1)", DAYS[1:2]),
        ("string", "(d='2024-01-01' and n=2)", []),
        # What Trino sends for ranges.
        ("date", "((d >= '2024-01-01') AND (d < '2024-02-01'))", DAYS[1:3]),
        ("date", "(d BETWEEN '2024-01-01' AND '2024-01-02')", DAYS[1:3]),
        ("varchar(10)", "(d in ('2024-01-01', '2024-01-02'))", DAYS[1:3]),
        ("varchar(10)", "d like '2024-01%'", DAYS[1:3]),
        ("char(10)", "d <> '2024-01-01'", [DAYS[0], *DAYS[2:]]),
        ("string", "d not in ('2024-01-01')", [DAYS[0], *DAYS[2:]]),
        ("string", "not_a_key = 1", None),
        ("string", "d = ", None),
        ("string", "", DAYS),
    ],
)
def test_partitions_by_expression(
    gateway: Gateway, database: str, kind: str, expression: str, found: list[str] | None
) -> None:
    table = partitioned(gateway, database, {"d": kind, "n": "int"}, [[day, "1"] for day in DAYS])
    if found is None:
        with pytest.raises(ClientError) as error:
            gateway.glue.get_partitions(**table, Expression=expression)
        assert error.value.response["Error"]["Code"] == "InvalidInputException"
        return
    answer = gateway.glue.get_partitions(**table, Expression=expression)
    assert [each["Values"][0] for each in answer["Partitions"]] == found


def test_numbers_are_compared_as_numbers(gateway: Gateway, database: str) -> None:
    table = partitioned(
        gateway, database, {"n": "int", "x": "decimal(4,2)"}, [["9", "9.5"], ["10", "10.25"]]
    )
    for expression, found in (
        ("n > 9", ["10"]),
        ("n < 10", ["9"]),
        ("x >= 10.25", ["10"]),
        ("x = 9.50", ["9"]),
    ):
        answer = gateway.glue.get_partitions(**table, Expression=expression)
        assert [each["Values"][0] for each in answer["Partitions"]] == found


def test_partitions_come_in_pages_and_segments(gateway: Gateway, database: str) -> None:
    values = [[str(n)] for n in range(5)]
    table = partitioned(gateway, database, {"n": "int"}, values)
    pages = gateway.glue.get_paginator("get_partitions").paginate(
        **table, Expression="n > 0", PaginationConfig={"PageSize": 3}
    )
    assert [[p["Values"] for p in page["Partitions"]] for page in pages] == [
        values[1:4],
        values[4:],
    ]
    found = [
        each["Values"]
        for n in range(3)
        for each in gateway.glue.get_partitions(
            **table, Segment={"SegmentNumber": n, "TotalSegments": 3}
        )["Partitions"]
    ]
    assert found == values
    bare = gateway.glue.get_partitions(**table, ExcludeColumnSchema=True)["Partitions"]
    assert not any("Columns" in each["StorageDescriptor"] for each in bare)
    removed = gateway.glue.batch_delete_partition(
        **table, PartitionsToDelete=[{"Values": ["0"]}, {"Values": ["9"]}]
    )
    assert [each["PartitionValues"] for each in removed["Errors"]] == [["9"]]
    left = gateway.glue.get_partitions(**table)["Partitions"]
    assert [each["Values"] for each in left] == values[1:]


def test_a_stale_version_is_refused(gateway: Gateway, database: str) -> None:
    make_table(gateway, database)
    here = {"DatabaseName": database}

    def version() -> str:
        return str(gateway.glue.get_table(**here, Name="t")["Table"]["VersionId"])

    def update(owner: str, **more: Any) -> None:
        gateway.glue.update_table(**here, TableInput={"Name": "t", "Owner": owner}, **more)

    seen = version()
    update("first", VersionId=seen)
    assert version() != seen
    with pytest.raises(ClientError) as error:
        update("second", VersionId=seen)
    assert error.value.response["Error"]["Code"] == "ConcurrentModificationException"
    assert gateway.glue.get_table(**here, Name="t")["Table"]["Owner"] == "first"
    update("third")
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        gateway.glue.update_table(**here, TableInput={"Name": "nope"}, VersionId="1")


def test_versions_of_a_table(gateway: Gateway, database: str) -> None:
    table = make_table(gateway, database)
    for owner in ("a", "b", "c"):
        gateway.glue.update_table(DatabaseName=database, TableInput={"Name": "t", "Owner": owner})

    def owners() -> list[str | None]:
        pages = gateway.glue.get_paginator("get_table_versions").paginate(
            **table, PaginationConfig={"PageSize": 2}
        )
        return [each["Table"].get("Owner") for page in pages for each in page["TableVersions"]]

    assert owners() == ["c", "b", "a", None]
    versions = gateway.glue.get_table_versions(**table)["TableVersions"]
    assert [int(each["VersionId"]) for each in versions] == [4, 3, 2, 1]
    gateway.glue.delete_table_version(**table, VersionId="2")
    assert owners() == ["c", "b", None]
    for version, code in (("2", "EntityNotFoundException"), ("4", "InvalidInputException")):
        with pytest.raises(ClientError, match=code):
            gateway.glue.delete_table_version(**table, VersionId=version)
    # Trino's commits leave no version behind.
    gateway.glue.update_table(
        DatabaseName=database, TableInput={"Name": "t", "Owner": "d"}, SkipArchive=True
    )
    assert owners() == ["d", "b", None]
    old = gateway.glue.get_table_version(**table, VersionId="3")["TableVersion"]["Table"]
    assert old["Owner"] == "b"


def test_an_update_replaces_the_table(gateway: Gateway, database: str) -> None:
    make_table(gateway, database, Description="what", Parameters={"a": "1"})
    gateway.glue.update_table(
        DatabaseName=database, TableInput={"Name": "t", "Parameters": {"b": "2"}}
    )
    found = gateway.glue.get_table(DatabaseName=database, Name="t")["Table"]
    assert (found["Parameters"], found.get("Description")) == ({"b": "2"}, None)


def test_only_trino_is_shown_a_view_as_its_own(gateway: Gateway, database: str) -> None:
    make_table(
        gateway,
        database,
        "v",
        TableType="VIRTUAL_VIEW",
        Description="what dbt wrote",
        Parameters={"presto_view": "true", "comment": "what dbt wrote"},
    )
    make_table(gateway, database, "h", TableType="VIRTUAL_VIEW", Description="Hive's")
    for operation, request in (
        ("AWSGlue.GetTable", {"DatabaseName": database, "Name": "v"}),
        ("AWSGlue.GetTables", {"DatabaseName": database}),
    ):
        shown = {}
        for agent in (TRINO, "Boto3/1.44"):
            _, answer = gateway.post(operation, request, agent=agent)
            tables = [answer["Table"]] if "Table" in answer else answer["TableList"]
            shown[agent] = {each["Name"]: each for each in tables}
        assert shown[TRINO]["v"]["Parameters"]["comment"] == "Presto View"
        assert "Description" not in shown[TRINO]["v"]
        assert shown["Boto3/1.44"]["v"]["Parameters"]["comment"] == "what dbt wrote"
        assert shown["Boto3/1.44"]["v"]["Description"] == "what dbt wrote"
        if "h" in shown[TRINO]:
            assert shown[TRINO]["h"] == shown["Boto3/1.44"]["h"]


def test_only_trino_sees_where_unload_writes(gateway: Gateway) -> None:
    gateway.glue.create_database(DatabaseInput={"Name": "__unload__"})
    seen = {}
    for agent in (TRINO, "Boto3/1.44"):
        _, answer = gateway.post("AWSGlue.GetDatabases", {}, agent=agent)
        seen[agent] = "__unload__" in [each["Name"] for each in answer["DatabaseList"]]
    assert seen == {TRINO: True, "Boto3/1.44": False}
    gateway.glue.delete_database(Name="__unload__")


def test_a_partition_gets_other_values(gateway: Gateway, database: str) -> None:
    table = partitioned(gateway, database, {"d": "string"}, [["a"], ["b"], ["c"]])

    def values() -> list[str]:
        found = gateway.glue.get_partitions(**table)["Partitions"]
        return sorted(each["Values"][0] for each in found)

    gateway.glue.update_partition(
        **table, PartitionValueList=["a"], PartitionInput={"Values": ["z"]}
    )
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        gateway.glue.update_partition(
            **table, PartitionValueList=["b"], PartitionInput={"Values": ["c"]}
        )
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        gateway.glue.update_partition(
            **table, PartitionValueList=["x"], PartitionInput={"Values": ["y"]}
        )
    assert values() == ["b", "c", "z"]
    answer = gateway.glue.batch_update_partition(
        **table,
        Entries=[
            {"PartitionValueList": ["b"], "PartitionInput": {"Values": ["c"]}},
            {"PartitionValueList": ["z"], "PartitionInput": {"Values": ["a"]}},
        ],
    )
    (error,) = answer["Errors"]
    assert error["PartitionValueList"] == ["b"]
    assert error["ErrorDetail"]["ErrorCode"] == "AlreadyExistsException"
    assert values() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("n >= 1", ["1"]),
        ("n <> 1", []),
        ("n != 2", ["1"]),
        ("d = 'n' or d = 'x'", ["1", "__HIVE_DEFAULT_PARTITION__"]),
        ("d != 'n'", ["1", "__HIVE_DEFAULT_PARTITION__"]),
        ("d = '!='", []),
    ],
)
def test_a_null_is_compared_with_nothing(
    gateway: Gateway, database: str, expression: str, found: list[str]
) -> None:
    table = partitioned(
        gateway,
        database,
        {"d": "string", "n": "int"},
        [["x", "1"], ["x", "__HIVE_DEFAULT_PARTITION__"]],
    )
    answer = gateway.glue.get_partitions(**table, Expression=expression)
    assert sorted(each["Values"][1] for each in answer["Partitions"]) == found


def test_names_are_folded(gateway: Gateway, database: str) -> None:
    glue, upper = gateway.glue, database.upper()
    glue.create_table(DatabaseName=upper, TableInput={"Name": "Mixed_Case"})
    assert glue.get_table(DatabaseName=database, Name="MIXED_CASE")["Table"]["Name"] == "mixed_case"
    assert glue.get_database(Name=upper)["Database"]["Name"] == database
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        glue.create_database(DatabaseInput={"Name": upper})
    glue.create_table(DatabaseName=database, TableInput={"Name": "b"})
    answer = glue.batch_delete_table(DatabaseName=upper, TablesToDelete=["Mixed_Case", "nope"])
    assert [each["TableName"] for each in answer["Errors"]] == ["nope"]
    glue.delete_table(DatabaseName=upper, Name="B")
    assert glue.get_tables(DatabaseName=upper)["TableList"] == []
    glue.delete_database(Name=upper)
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        glue.get_tables(DatabaseName=database)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (None, ["sales", "sales_2024", "x_sales"]),
        ("sales", ["sales"]),
        ("sales*", ["sales", "sales_2024"]),
        ("*sales", ["sales", "x_sales"]),
        ("sales.*", ["sales", "sales_2024"]),
        ("sales|x.*", ["sales", "x_sales"]),
        ("sales_[0-9]*", ["sales_2024"]),
    ],
)
def test_tables_by_expression(
    gateway: Gateway, database: str, expression: str | None, found: list[str]
) -> None:
    for name in ("sales", "sales_2024", "x_sales"):
        make_table(gateway, database, name)
    more = {} if expression is None else {"Expression": expression}
    pages = gateway.glue.get_paginator("get_tables").paginate(
        DatabaseName=database, PaginationConfig={"PageSize": 2}, **more
    )
    assert [each["Name"] for page in pages for each in page["TableList"]] == found


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("CreateCrawler", {"Name": "c"}, "UnknownOperationException", "CreateCrawler"),
        ("SearchTables", {}, "UnknownOperationException", "SearchTables"),
        ("Nonsense", {}, "UnknownOperationException", "Nonsense"),
        ("GetTable", {"DatabaseName": "d"}, None, '"Name"'),
        ("GetTable", {"DatabaseName": "d", "Name": 1}, None, "Invalid type"),
        ("GetTable", {"DatabaseName": "d", "Name": "t", "Nonsense": 1}, None, '"Nonsense"'),
        (
            "GetTable",
            {"DatabaseName": "d", "Name": "t", "QueryAsOfTime": 1},
            None,
            "GetTable with QueryAsOfTime is not carried out by the local Glue",
        ),
        (
            "CreateTable",
            {"DatabaseName": "d", "TableInput": {"Name": "t"}, "PartitionIndexes": []},
            None,
            "PartitionIndexes is not carried out",
        ),
        (
            "CreateTable",
            {
                "DatabaseName": "d",
                "TableInput": {"Name": "t", "TargetTable": {"DatabaseName": "x", "Name": "y"}},
            },
            None,
            "TableInput.TargetTable is not carried out",
        ),
        (
            "BatchDeletePartition",
            {
                "DatabaseName": "d",
                "TableName": "t",
                "PartitionsToDelete": [{"Values": [str(n)]} for n in range(26)],
            },
            None,
            "'PartitionsToDelete' failed to satisfy constraint: Member must have length less than "
            "or equal to 25",
        ),
        ("GetTables", {"DatabaseName": "d", "MaxResults": 101}, None, "less than or equal to 100"),
        ("GetDatabases", {"NextToken": "x"}, None, "NextToken is not valid"),
        (
            "UpdateColumnStatisticsForTable",
            {"DatabaseName": "d", "TableName": "t", "ColumnStatisticsList": []},
            "UnknownOperationException",
            "UpdateColumnStatisticsForTable",
        ),
    ],
)
def test_refused(
    gateway: Gateway, operation: str, request_: dict[str, Any], code: str | None, message: str
) -> None:
    status, answer = gateway.post(f"AWSGlue.{operation}", request_)
    assert (status, answer["__type"]) == (400, code or "InvalidInputException")
    assert message in answer["message"]


def test_statistics_are_taken_from_trino_and_not_kept(gateway: Gateway, database: str) -> None:
    table = make_table(gateway, database)
    written = table | {"ColumnStatisticsList": []}
    operation = "AWSGlue.UpdateColumnStatisticsForTable"
    assert gateway.post(operation, written, agent=TRINO) == (200, {})
    found = gateway.glue.get_column_statistics_for_table(**table, ColumnNames=["a"])
    assert found["ColumnStatisticsList"] == []
