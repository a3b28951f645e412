"""Athena's operations through boto3; each answer is checked against botocore's model on its way."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from .fakes import Answer
from .gateway_server import Gateway

INTEGER = [("n", "integer")]
RESULTS = {"OutputLocation": "s3://lake/results/"}


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Code and message."""
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def names() -> str:
    """A name that no other test has."""
    return f"n_{uuid4().hex[:8]}"


def test_a_query_from_its_start_to_its_rows(gateway: Gateway) -> None:
    query = gateway.selects([[1, "a"], [2, None]], [("n", "integer"), ("t", "varchar(3)")])
    execution_id = gateway.start(
        query, QueryExecutionContext={"Catalog": "AwsDataCatalog", "Database": "Some_DB"}
    )
    found = gateway.execution(execution_id)
    assert (found["Status"]["State"], found["StatementType"]) == ("SUCCEEDED", "DML")
    assert (found["SubstatementType"], found["WorkGroup"]) == ("SELECT", "primary")
    assert found["Query"] == query
    assert found["QueryExecutionContext"] == {"Catalog": "awsdatacatalog", "Database": "some_db"}
    assert found["Statistics"]["DataScannedInBytes"] == 12
    assert found["Status"]["SubmissionDateTime"] <= found["Status"]["CompletionDateTime"]
    assert found["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    result = gateway.athena.get_query_results(QueryExecutionId=execution_id)
    assert [row["Data"] for row in result["ResultSet"]["Rows"]] == [
        [{"VarCharValue": "n"}, {"VarCharValue": "t"}],
        [{"VarCharValue": "1"}, {"VarCharValue": "a"}],
        [{"VarCharValue": "2"}, {}],
    ]
    columns = result["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(c["Name"], c["Type"], c["Precision"]) for c in columns] == [
        ("n", "integer", 10),
        ("t", "varchar", 3),
    ]
    sql, headers = gateway.trino.ran[-1]
    assert (sql, headers["X-Trino-Schema"]) == (query, "some_db")


def test_what_lands_in_s3(gateway: Gateway, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def written(query: str) -> tuple[str, dict[str, bytes]]:
        before = set(gateway.s3.objects)
        found = gateway.run(query, QueryExecutionContext={"Database": database})
        assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
        folder = "s3://lake/results/"
        name = found["QueryExecutionId"]
        mine = {
            uri.removeprefix(folder).replace(name, "ID"): gateway.s3.objects[uri]
            for uri in set(gateway.s3.objects) - before
            if uri.startswith(folder)
        }
        manifest = found["Statistics"].get("DataManifestLocation", "")
        assert manifest.removeprefix(folder).replace(name, "ID") in [*mine, ""]
        location = found["ResultConfiguration"]["OutputLocation"]
        return location.removeprefix(folder).replace(name, "ID"), mine

    query = gateway.selects([['a "b"'], [None], [""]], [("t", "varchar")])
    assert written(query) == (
        "ID.csv",
        {"ID.csv": b'"t"\n"a ""b"""\n\n""\n', "ID.csv.metadata": b"t"},
    )
    gateway.glue.create_table(DatabaseName=database, TableInput={"Name": "t"})
    assert written("show tables") == (
        "ID.txt",
        {"ID.txt": b"t\n", "ID.txt.metadata": b"tab_name"},
    )
    location, files = written(
        f"create table made with (external_location = 's3://other/{database}/m/') as select 1"
    )
    assert (location, sorted(files)) == (
        "tables/ID",
        ["tables/ID-manifest.csv", "tables/ID.metadata"],
    )

    def unloaded(sql: str) -> None:
        name = sql.split('"')[5]
        gateway.glue.create_table(DatabaseName="__unload__", TableInput={"Name": name})
        gateway.s3.objects[f"s3://other/{database}/u/1.gz"] = b""

    monkeypatch.setattr(gateway.trino, "on_run", unloaded)
    location, files = written(
        f"unload (select 1) to 's3://other/{database}/u/' with (format = 'JSON')"
    )
    assert (location, sorted(files)) == ("ID", ["ID-manifest.csv", "ID.metadata"])
    assert files["ID-manifest.csv"] == f"s3://other/{database}/u/1.gz\n".encode()


@pytest.mark.parametrize(
    ("query", "has_header"),
    [
        ("insert into t select 1", False),
        ("explain select 1", False),
        ("show databases", False),
        ("values 1", True),
        ("with a as (select 1) select * from a", True),
    ],
)
def test_only_rows_of_a_query_have_a_header(
    gateway: Gateway, database: str, query: str, has_header: bool
) -> None:
    gateway.glue.create_table(
        DatabaseName=database, TableInput={"Name": "t", "StorageDescriptor": {}}
    )
    gateway.trino.answers[query] = Answer([("rows", "bigint")], [[7]], update_count=7)
    found = gateway.run(query, QueryExecutionContext={"Database": database})
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    result = gateway.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])
    rows = [
        [each.get("VarCharValue") for each in row["Data"]] for row in result["ResultSet"]["Rows"]
    ]
    assert (["rows"] in rows) == has_header
    if query.startswith("insert"):
        assert (rows, result["UpdateCount"]) == ([], 7)


def test_results_come_in_pages(gateway: Gateway) -> None:
    execution_id = gateway.run(gateway.selects([[n] for n in range(2500)], INTEGER))[
        "QueryExecutionId"
    ]

    def pages(size: int | None) -> list[list[str]]:
        settings = {"PageSize": size} if size else {}
        return [
            [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
            for page in gateway.athena.get_paginator("get_query_results").paginate(
                QueryExecutionId=execution_id, PaginationConfig=settings
            )
        ]

    for size, sizes in ((None, [1000, 1000, 501]), (834, [834, 834, 833])):
        found = pages(size)
        assert [len(page) for page in found] == sizes
        assert [value for page in found for value in page] == ["n", *map(str, range(2500))]
    first = gateway.athena.get_query_results(QueryExecutionId=execution_id, MaxResults=1)
    assert [row["Data"][0]["VarCharValue"] for row in first["ResultSet"]["Rows"]] == ["n"]
    assert first["NextToken"]
    for more, message in (
        ({"MaxResults": 1001}, "Member must have value less than or equal to 1000"),
        ({"NextToken": "x"}, "NextToken is not valid"),
        ({"QueryResultType": "DATA_MANIFEST"}, "not carried out by the local Athena"),
    ):
        with pytest.raises(ClientError, match=message):
            gateway.athena.get_query_results(QueryExecutionId=execution_id, **more)


START = {"QueryString": "select 1", "ResultConfiguration": RESULTS}


@pytest.mark.parametrize(
    ("operation", "request_", "code", "message"),
    [
        ("AmazonAthena.Nonsense", {}, "UnknownOperationException", "Nonsense"),
        ("AmazonAthena.ListNamedQueries", {}, "UnknownOperationException", "ListNamedQueries"),
        ("AmazonS3.GetObject", {}, "UnknownOperationException", "AmazonS3"),
        ("AmazonAthena.StartQueryExecution", [], "SerializationException", "JSON object"),
        ("AmazonAthena.StartQueryExecution", {}, None, '"QueryString"'),
        ("AmazonAthena.StartQueryExecution", {**START, "Nonsense": 1}, None, '"Nonsense"'),
        (
            "AmazonAthena.StartQueryExecution",
            {**START, "ResultConfiguration": {**RESULTS, "Nonsense": 1}},
            None,
            'in ResultConfiguration: "Nonsense"',
        ),
        ("AmazonAthena.StartQueryExecution", {**START, "QueryString": 1}, None, "Invalid type"),
        (
            "AmazonAthena.StartQueryExecution",
            {**START, "QueryString": "x" * 262_145},
            None,
            "'QueryString' failed to satisfy constraint: Member must have length less than",
        ),
        # Characters are few enough, bytes are not.
        (
            "AmazonAthena.StartQueryExecution",
            {**START, "QueryString": "ä" * 131_073},
            None,
            "length",
        ),
        ("AmazonAthena.StartQueryExecution", {**START, "WorkGroup": "a b"}, None, "pattern"),
        ("AmazonAthena.StartQueryExecution", {**START, "ClientRequestToken": "x"}, None, "length"),
        (
            "AmazonAthena.GetQueryResults",
            {"QueryExecutionId": "x", "QueryResultType": "ROWS"},
            None,
            "enum value set: [DATA_MANIFEST, DATA_ROWS]",
        ),
        (
            "AmazonAthena.GetQueryResults",
            {"QueryExecutionId": "x", "MaxResults": True},
            None,
            "number",
        ),
        ("AmazonAthena.GetQueryExecution", {"QueryExecutionId": "x"}, None, "x was not found"),
        ("AmazonAthena.StopQueryExecution", {"QueryExecutionId": "x"}, None, "x was not found"),
        ("AmazonAthena.GetWorkGroup", {"WorkGroup": "nope"}, None, "WorkGroup nope is not found"),
        ("AmazonAthena.ListQueryExecutions", {"WorkGroup": "nope"}, None, "is not found"),
        ("AmazonAthena.GetDataCatalog", {"Name": "other"}, None, "other was not found"),
        ("AmazonAthena.ListDatabases", {"CatalogName": "other"}, None, "other was not found"),
        (
            "AmazonAthena.GetDatabase",
            {"CatalogName": "AwsDataCatalog", "DatabaseName": "nope"},
            "MetadataException",
            "nope not found",
        ),
        (
            "AmazonAthena.ListTableMetadata",
            {"CatalogName": "AwsDataCatalog", "DatabaseName": "nope"},
            "MetadataException",
            "nope not found",
        ),
    ],
)
def test_refused(
    gateway: Gateway, operation: str, request_: Any, code: str | None, message: str
) -> None:
    status, answer = gateway.post(operation, request_)
    assert (status, answer["__type"]) == (400, code or "InvalidRequestException")
    assert message in answer["message"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ResultConfiguration": {}}, "No output location provided"),
        ({"ResultConfiguration": {"OutputLocation": "lake/x"}}, "not a valid S3 path"),
        ({"ResultConfiguration": {"OutputLocation": "s3://nope/x"}}, "output bucket nope"),
        ({"WorkGroup": "nope"}, "WorkGroup nope is not found"),
        ({"QueryExecutionContext": {"Catalog": "other"}}, "data catalog other was not found"),
        (
            {
                "ResultConfiguration": RESULTS
                | {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}
            },
            "ResultConfiguration.EncryptionConfiguration is not carried out by the local Athena",
        ),
        (
            {"ResultConfiguration": RESULTS | {"ExpectedBucketOwner": "123456789012"}},
            "ExpectedBucketOwner is not carried out",
        ),
        (
            {
                "ResultReuseConfiguration": {
                    "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}
                }
            },
            "ResultReuseConfiguration is not carried out",
        ),
        ({"EngineConfiguration": {"MaxConcurrentDpus": 4}}, "EngineConfiguration is not carried"),
    ],
)
def test_a_statement_that_is_not_started(
    gateway: Gateway, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as error:
        gateway.start("select 1", **more)
    assert refusal(error)[0] == "InvalidRequestException"
    assert message in refusal(error)[1]


def test_a_work_group_may_set_the_location(gateway: Gateway) -> None:
    own, enforced = names(), names()
    location = {"ResultConfiguration": {"OutputLocation": "s3://other/of_group"}}
    loose = location | {"EnforceWorkGroupConfiguration": False}
    gateway.athena.create_work_group(Name=own, Configuration=loose, Description="what")
    gateway.athena.create_work_group(Name=enforced, Configuration=location)

    def place(**more: Any) -> str:
        found = gateway.run("select 1", **more)
        assert found["WorkGroup"] == more["WorkGroup"]
        return str(found["ResultConfiguration"]["OutputLocation"]).rsplit("/", 1)[0]

    assert place(WorkGroup=own) == "s3://lake/results"
    assert place(WorkGroup=own, ResultConfiguration={}) == "s3://other/of_group"
    assert place(WorkGroup=enforced) == "s3://other/of_group"
    found = gateway.athena.get_work_group(WorkGroup=own)["WorkGroup"]
    assert (found["Description"], found["State"]) == ("what", "ENABLED")
    assert found["Configuration"]["ResultConfiguration"] == location["ResultConfiguration"]
    listed = gateway.athena.list_work_groups()["WorkGroups"]
    assert {own, enforced, "primary"} <= {each["Name"] for each in listed}
    with pytest.raises(ClientError, match="not empty"):
        gateway.athena.delete_work_group(WorkGroup=own)
    gateway.athena.delete_work_group(WorkGroup=own, RecursiveDeleteOption=True)
    with pytest.raises(ClientError, match="is not found"):
        gateway.start("select 1", WorkGroup=own)
    # An enforced location that is not set is none.
    bare = names()
    gateway.athena.create_work_group(Name=bare)
    with pytest.raises(ClientError, match="No output location"):
        gateway.start("select 1", WorkGroup=bare)
    gateway.athena.delete_work_group(WorkGroup=bare)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Name": "primary"}, "already created"),
        (
            {"Configuration": {"BytesScannedCutoffPerQuery": 10_000_000}},
            "BytesScannedCutoffPerQuery",
        ),
        ({"Configuration": {"EngineVersion": {"SelectedEngineVersion": "PySpark"}}}, "PySpark"),
        (
            {
                "Configuration": {
                    "ResultConfiguration": {
                        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}
                    }
                }
            },
            "EncryptionConfiguration",
        ),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags"),
    ],
)
def test_a_work_group_that_is_not_made(
    gateway: Gateway, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        gateway.athena.create_work_group(**{"Name": names()} | more)
    with pytest.raises(ClientError, match="cannot be deleted"):
        gateway.athena.delete_work_group(WorkGroup="primary")


def test_stopping_a_running_query(gateway: Gateway) -> None:
    query = f"select '{uuid4()}'"
    gateway.trino.answers[query] = Answer(hangs=True)
    execution_id = gateway.start(query)
    while query not in [sql for sql, _ in gateway.trino.ran]:
        time.sleep(0.01)
    found = gateway.athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
    assert found["Status"]["State"] == "RUNNING"
    with pytest.raises(ClientError, match="not yet finished"):
        gateway.athena.get_query_results(QueryExecutionId=execution_id)
    gateway.athena.stop_query_execution(QueryExecutionId=execution_id)
    found = gateway.execution(execution_id)
    assert found["Status"]["State"] == "CANCELLED"
    assert "cancelled" in found["Status"]["StateChangeReason"]
    assert query in gateway.trino.stopped
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        gateway.athena.get_query_results(QueryExecutionId=execution_id)
    # One that has ended stays as it is.
    done = gateway.run("select 1")["QueryExecutionId"]
    gateway.athena.stop_query_execution(QueryExecutionId=done)
    assert gateway.execution(done)["Status"]["State"] == "SUCCEEDED"


def test_a_token_starts_one_execution(gateway: Gateway) -> None:
    token = str(uuid4())
    first = gateway.start("select 1", ClientRequestToken=token)
    assert gateway.start("select 1", ClientRequestToken=token) == first
    assert gateway.start("select 1", ClientRequestToken=str(uuid4())) != first
    for query, more in (
        ("select 2", {}),
        ("select 1", {"QueryExecutionContext": {"Database": "d"}}),
        ("select 1", {"ExecutionParameters": ["1"]}),
    ):
        with pytest.raises(ClientError, match="Idempotent parameters do not match"):
            gateway.start(query, ClientRequestToken=token, **more)


@pytest.mark.parametrize(
    ("error", "category", "kind", "retryable"),
    [
        ({"errorName": "COLUMN_NOT_FOUND", "errorType": "USER_ERROR"}, 2, 1000, False),
        ({"errorName": "GENERIC_INTERNAL_ERROR", "errorType": "INTERNAL_ERROR"}, 1, 1, True),
        ({"errorName": "ICEBERG_COMMIT_ERROR", "errorType": "EXTERNAL"}, 1, 233, True),
    ],
)
def test_a_query_that_fails(
    gateway: Gateway, error: dict[str, Any], category: int, kind: int, retryable: bool
) -> None:
    query = f"select '{uuid4()}'"
    gateway.trino.answers[query] = Answer(error={**error, "message": "what it was"})
    status = gateway.run(query)["Status"]
    message = f"{error['errorName']}: what it was"
    assert (status["State"], status["StateChangeReason"]) == ("FAILED", message)
    assert status["AthenaError"] == {
        "ErrorCategory": category,
        "ErrorType": kind,
        "Retryable": retryable,
        "ErrorMessage": message,
    }


def test_a_trino_that_is_not_there(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.trino, "first_page", lambda *_: 1 / 0)
    status = gateway.run("select 1")["Status"]
    assert (status["State"], status["AthenaError"]["Retryable"]) == ("FAILED", True)
    assert "Trino does not answer" in status["StateChangeReason"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_trino_is_asked_again(gateway: Gateway, status: int) -> None:
    query = gateway.selects([["x"]], [("a", "varchar")])
    gateway.trino.answers[query].statuses = [status, status]
    assert gateway.run(query)["Status"]["State"] == "SUCCEEDED"
    assert query not in gateway.trino.stopped


def test_a_trino_that_stays_busy(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_aws.gateway.trino_client._TIMEOUT", 0.2)
    query = gateway.selects([["x"]], [("a", "varchar")])
    gateway.trino.answers[query].statuses = [503] * 100
    assert gateway.run(query)["Status"]["State"] == "FAILED"
    assert query in gateway.trino.stopped


def test_a_query_whose_answer_is_lost_is_cancelled(gateway: Gateway) -> None:
    query = gateway.selects([["x"]], [("a", "varchar")])
    gateway.trino.answers[query].statuses = [500]
    status = gateway.run(query)["Status"]
    assert (status["State"], status["AthenaError"]["Retryable"]) == ("FAILED", False)
    assert gateway.trino.stopped.count(query) == 1


def test_executions_are_listed_newest_first(gateway: Gateway) -> None:
    group = names()
    gateway.athena.create_work_group(
        Name=group, Configuration={"EnforceWorkGroupConfiguration": False}
    )
    started = [gateway.start("select 1", WorkGroup=group) for _ in range(5)]
    pages = list(
        gateway.athena.get_paginator("list_query_executions").paginate(
            WorkGroup=group, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["QueryExecutionIds"]) for page in pages] == [2, 2, 1]
    assert [each for page in pages for each in page["QueryExecutionIds"]] == started[::-1]
    found = gateway.athena.batch_get_query_execution(QueryExecutionIds=[started[0], "nope"])
    assert [each["QueryExecutionId"] for each in found["QueryExecutions"]] == started[:1]
    missing = found["UnprocessedQueryExecutionIds"]
    assert [each["QueryExecutionId"] for each in missing] == ["nope"]


def test_prepared_statements(gateway: Gateway) -> None:
    group, name = names(), names()
    gateway.athena.create_work_group(
        Name=group, Configuration={"EnforceWorkGroupConfiguration": False}
    )
    here = {"WorkGroup": group, "StatementName": name}
    gateway.athena.create_prepared_statement(
        **here, QueryStatement="select ? as a", Description="what"
    )
    with pytest.raises(ClientError, match="already exists"):
        gateway.athena.create_prepared_statement(**here, QueryStatement="select 1")
    found = gateway.athena.get_prepared_statement(**here)["PreparedStatement"]
    assert (found["QueryStatement"], found["Description"]) == ("select ? as a", "what")
    gateway.athena.update_prepared_statement(**here, QueryStatement="select ? as b")
    gateway.run(f"execute {name} using 'x'", WorkGroup=group)
    assert gateway.trino.ran[-1][0] == "EXECUTE IMMEDIATE 'select ? as b' USING 'x'"
    gateway.run("prepare second from select 1", WorkGroup=group)
    listed = gateway.athena.list_prepared_statements(WorkGroup=group)["PreparedStatements"]
    assert [each["StatementName"] for each in listed] == sorted([name, "second"])
    gateway.athena.delete_prepared_statement(**here)
    for call in (gateway.athena.get_prepared_statement, gateway.athena.delete_prepared_statement):
        with pytest.raises(ClientError) as error:
            call(**here)
        assert refusal(error)[0] == "ResourceNotFoundException"
    parameters = ["1", "'x'"]
    found = gateway.run("select ?, ?", ExecutionParameters=parameters)
    assert found["ExecutionParameters"] == parameters
    assert gateway.trino.ran[-1][0] == "EXECUTE IMMEDIATE 'select ?, ?' USING 1, 'x'"


def test_the_data_catalogue(gateway: Gateway, database: str) -> None:
    for name in ("a", "b", "ab"):
        columns = [{"Name": "n", "Type": "int", "Comment": "what"}]
        gateway.glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "StorageDescriptor": {"Columns": columns},
                "PartitionKeys": [{"Name": "d", "Type": "date"}],
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"k": "v"},
            },
        )
    here = {"CatalogName": "AwsDataCatalog", "DatabaseName": database.upper()}
    assert gateway.athena.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]["Type"] == "GLUE"
    assert gateway.athena.list_data_catalogs()["DataCatalogsSummary"][0]["Type"] == "GLUE"
    assert gateway.athena.get_database(**here)["Database"]["Name"] == database
    listed = gateway.athena.get_paginator("list_databases").paginate(
        CatalogName="AwsDataCatalog", PaginationConfig={"PageSize": 1}
    )
    assert database in [each["Name"] for page in listed for each in page["DatabaseList"]]
    found = gateway.athena.get_table_metadata(**here, TableName="AB")["TableMetadata"]
    assert found["Columns"] == [{"Name": "n", "Type": "int", "Comment": "what"}]
    assert found["PartitionKeys"] == [{"Name": "d", "Type": "date"}]
    assert (found["TableType"], found["Parameters"]) == ("EXTERNAL_TABLE", {"k": "v"})
    pages = list(
        gateway.athena.get_paginator("list_table_metadata").paginate(
            **here, Expression="a*", PaginationConfig={"PageSize": 1}
        )
    )
    assert [[each["Name"] for each in page["TableMetadataList"]] for page in pages] == [
        ["a"],
        ["ab"],
    ]
