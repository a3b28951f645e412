"""Statements on Athena, against answers that are checked by boto3's own model of the service."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from salescast.errors import RunError
from salescast.s3 import Prefix
from salescast.settings import Settings, load_settings
from salescast.warehouse import Spent
from salescast.warehouse.athena_client import AthenaClient

TEMP = Prefix(None, "chain", "temp/unload")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("SALESCAST_")]:
        monkeypatch.delenv(name)
    return load_settings(
        target="athena",
        lake_place="s3://chain/salescast/lake",
        athena_work_group="forecasts",
        athena_poll_seconds=2.0,
    )


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each wait, none of which is waited."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


class Athena:
    """A client that is answered by a test, one call after the other."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "athena",
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.stubber = Stubber(self.client)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.client.meta.events.register("provide-client-params.athena", self._note)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.sent.append((model.name, params))

    def of(self, operation: str) -> list[dict[str, Any]]:
        """What was sent to an operation."""
        return [params for name, params in self.sent if name == operation]

    def starts(self, execution_id: str, expected: dict[str, Any] | None = None) -> None:
        self.stubber.add_response(
            "start_query_execution", {"QueryExecutionId": execution_id}, expected
        )

    def tells(self, execution_id: str, state: str, **more: Any) -> None:
        self.stubber.add_response(
            "get_query_execution",
            {"QueryExecution": execution(execution_id, state, **more)},
            {"QueryExecutionId": execution_id},
        )

    def carries_out(self, execution_id: str, **more: Any) -> None:
        self.starts(execution_id)
        self.tells(execution_id, "SUCCEEDED", **more)

    def fails(self, execution_id: str, *, retryable: bool | None, state: str = "FAILED") -> None:
        self.starts(execution_id)
        error = {} if retryable is None else {"AthenaError": {"Retryable": retryable}}
        self.tells(execution_id, state, StateChangeReason=f"reason of {execution_id}", **error)

    def has_rows(self, execution_id: str, *pages: Sequence[Sequence[str | None]]) -> None:
        types = ("date", "integer", "bigint", "boolean", "varchar", "double")
        columns = [{"Name": f"a_{each}", "Type": each} for each in types]
        for n, page in enumerate(pages):
            rows = [
                {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]}
                for row in page
            ]
            answer: dict[str, Any] = {
                "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns}}
            }
            expected = {"QueryExecutionId": execution_id}
            if n + 1 < len(pages):
                answer["NextToken"] = f"page {n + 1}"
            if n:
                expected["NextToken"] = f"page {n}"
            self.stubber.add_response("get_query_results", answer, expected)


def execution(execution_id: str, state: str, scanned: int = 0, **more: Any) -> dict[str, Any]:
    parts = {name: more.pop(name) for name in ("Query", "QueryExecutionContext") if name in more}
    return {
        "QueryExecutionId": execution_id,
        "Status": {"State": state, **more},
        "Statistics": {"DataScannedInBytes": scanned},
        **parts,
    }


@pytest.fixture
def athena(monkeypatch: pytest.MonkeyPatch) -> Iterator[Athena]:
    """Every answer has to be asked for."""
    made = Athena()
    with made.stubber:
        yield made
        made.stubber.assert_no_pending_responses()


HEADER = ("a_date", "a_integer", "a_bigint", "a_boolean", "a_varchar", "a_double")


def test_a_statement_is_sent_with_places_and_waited_for(
    athena: Athena, settings: Settings, waits: list[float]
) -> None:
    athena.starts(
        "1",
        {
            "QueryString": "drop table x",
            "QueryExecutionContext": {"Database": "salescast"},
            "ResultConfiguration": {"OutputLocation": "s3://chain/salescast/athena-results/"},
            "WorkGroup": "forecasts",
        },
    )
    athena.tells("1", "QUEUED")
    for _ in range(6):
        athena.tells("1", "RUNNING")
    athena.tells("1", "SUCCEEDED")
    AthenaClient(athena.client, settings).execute("drop table x")
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_results_are_encrypted_with_the_key(athena: Athena, settings: Settings) -> None:
    with_key = settings.model_copy(update={"kms_key_id": "alias/chain"})
    athena.carries_out("1")
    AthenaClient(athena.client, with_key).execute("select 1")
    (sent,) = athena.of("StartQueryExecution")
    assert sent["ResultConfiguration"]["EncryptionConfiguration"] == {
        "EncryptionOption": "SSE_KMS",
        "KmsKey": "alias/chain",
    }


def test_rows_of_all_pages_come_typed(athena: Athena, settings: Settings) -> None:
    athena.carries_out("1")
    athena.has_rows(
        "1",
        [HEADER, ("2026-10-31", "4", "5000000000", "true", "a", "0.5")],
        [(None,) * 6],
        [("2026-11-07", "-1", "0", "false", "", "1.0E10")],
    )
    found = AthenaClient(athena.client, settings).query("select *")
    assert found.columns == HEADER
    assert found.rows == [
        (date(2026, 10, 31), 4, 5_000_000_000, True, "a", "0.5"),
        (None,) * 6,
        (date(2026, 11, 7), -1, 0, False, "", "1.0E10"),
    ]


def test_a_query_without_rows(athena: Athena, settings: Settings) -> None:
    athena.carries_out("1")
    athena.has_rows("1", [HEADER])
    assert AthenaClient(athena.client, settings).query("select *").rows == []


def test_what_may_help_is_tried_again(
    athena: Athena, settings: Settings, waits: list[float]
) -> None:
    athena.fails("1", retryable=True)
    athena.fails("2", retryable=True)
    athena.carries_out("3")
    athena.has_rows("3", [HEADER])
    AthenaClient(athena.client, settings).query("select 1")
    assert waits == [2.0, 4.0]
    tokens = [sent["ClientRequestToken"] for sent in athena.of("StartQueryExecution")]
    assert len(set(tokens)) == 3, "Athena would answer the same token with the failed execution"


def test_three_attempts_are_all(athena: Athena, settings: Settings, waits: list[float]) -> None:
    for n in "123":
        athena.fails(n, retryable=True)
    with pytest.raises(RunError, match=r"\(FAILED\): reason of 3") as caught:
        AthenaClient(athena.client, settings).execute("select\n    1")
    assert caught.value.where == "execution 3: select 1"
    assert "--resume" in str(caught.value.fix)


@pytest.mark.parametrize(("state", "retryable"), [("FAILED", False), ("CANCELLED", None)])
def test_what_cannot_help_is_not_tried_again(
    athena: Athena, settings: Settings, waits: list[float], state: str, retryable: bool | None
) -> None:
    athena.fails("1", retryable=retryable, state=state)
    with pytest.raises(RunError, match=rf"\({state}\): reason of 1"):
        AthenaClient(athena.client, settings).execute("select 1")
    assert waits == []


def test_each_attempt_of_an_unload_has_a_prefix_of_its_own(
    athena: Athena, settings: Settings, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(Prefix, "delete_all", lambda prefix: deleted.append(prefix.uri))
    athena.fails("1", retryable=True)
    athena.carries_out("2")
    athena.carries_out("3")
    client = AthenaClient(athena.client, settings)
    made = client.unload("select 1", TEMP, form="JSON")
    again = client.unload("select 1", TEMP, form="PARQUET")
    sent = [each["QueryString"] for each in athena.of("StartQueryExecution")]
    pattern = r"unload \(select 1\) to '(s3://chain/temp/unload/[0-9a-f]{16})/' with \(format = '"
    places = [found[1] for text in sent if (found := re.match(pattern, text))]
    assert len(set(places)) == 3
    assert (made.uri, again.uri) == (places[1], places[2])
    assert deleted == [places[0]]
    assert [text.rsplit("'", 2)[1] for text in sent] == ["JSON", "JSON", "PARQUET"]


def interrupt(**_: Any) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_stops_the_statement(athena: Athena, settings: Settings) -> None:
    athena.starts("1")
    athena.tells("1", "RUNNING")
    athena.stubber.add_response("stop_query_execution", {}, {"QueryExecutionId": "1"})
    athena.client.meta.events.register("after-call.athena.GetQueryExecution", interrupt)
    with pytest.raises(KeyboardInterrupt):
        AthenaClient(athena.client, settings).execute("select 1")


def test_an_interrupt_is_told_though_the_statement_cannot_be_stopped(
    athena: Athena, settings: Settings
) -> None:
    def no_network(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://athena")

    athena.starts("1")
    athena.tells("1", "RUNNING")
    athena.client.meta.events.register("after-call.athena.GetQueryExecution", interrupt)
    athena.client.meta.events.register_first("before-call.athena.StopQueryExecution", no_network)
    with pytest.raises(KeyboardInterrupt):
        AthenaClient(athena.client, settings).execute("select 1")
    assert athena.of("StopQueryExecution")


@pytest.mark.parametrize("call", ["get_query_execution", "get_query_results"])
def test_results_that_have_expired_are_told(athena: Athena, settings: Settings, call: str) -> None:
    athena.starts("1")
    if call == "get_query_results":
        athena.tells("1", "SUCCEEDED")
    athena.stubber.add_client_error(
        call, "InvalidRequestException", "QueryExecution 1 was not found"
    )
    with pytest.raises(RunError, match="not there any more: QueryExecution 1") as caught:
        AthenaClient(athena.client, settings).query("select 1")
    assert caught.value.where == "execution 1, s3://chain/salescast/athena-results"
    assert "--resume" in str(caught.value.fix)


def test_another_refusal_is_not_told_as_expired(athena: Athena, settings: Settings) -> None:
    athena.starts("1")
    athena.stubber.add_client_error("get_query_execution", "AccessDeniedException", "no right")
    with pytest.raises(ClientError, match="no right"):
        AthenaClient(athena.client, settings).query("select 1")


def test_what_is_spent_has_a_least_price_for_each_that_reads(
    athena: Athena, settings: Settings
) -> None:
    athena.carries_out("1", scanned=1)
    athena.carries_out("2", scanned=0)
    athena.carries_out("3", scanned=30_000_000)
    client = AthenaClient(athena.client, settings)
    assert client.spent == Spent(0, 0, 0.0)
    for _ in range(3):
        client.execute("select 1")
    client.count(5, 0)
    assert client.spent.n_statements == 5
    assert client.spent.scanned_bytes == 30_000_006
    assert client.spent.dollars == pytest.approx(50_000_000 / 1e12 * 5)


def test_failed_attempts_are_counted(
    athena: Athena, settings: Settings, waits: list[float]
) -> None:
    athena.fails("1", retryable=True)
    athena.carries_out("2", scanned=20_000_000)
    client = AthenaClient(athena.client, settings)
    client.execute("select 1")
    assert client.spent.n_statements == 2


DBT = '/* {"app": "dbt", "node_id": "model.salescast.x"} */ create table x'


def left(execution_id: str, state: str, database: str, query: str = DBT) -> dict[str, Any]:
    return execution(
        execution_id,
        state,
        SubmissionDateTime=datetime(2026, 11, 22),
        Query=query,
        QueryExecutionContext={"Database": database},
    )


def test_only_unfinished_statements_of_this_schemas_dbt_are_stopped(
    athena: Athena, settings: Settings, waits: list[float]
) -> None:
    first = [f"{n}" for n in range(50)]
    executions = [left(n, "SUCCEEDED", "salescast") for n in first]
    executions[3] = left("3", "RUNNING", "salescast")
    executions[4] = left("4", "RUNNING", "another")
    executions[5] = left("5", "RUNNING", "salescast", "unload (select 1)")
    executions[6] = left("6", "RUNNING", "salescast_marts")
    executions[7] = execution("7", "RUNNING", Query=DBT)
    add, list_them = athena.stubber.add_response, "list_query_executions"
    page = {"WorkGroup": "forecasts", "MaxResults": 50}
    add(list_them, {"QueryExecutionIds": first, "NextToken": "more"}, page)
    add(list_them, {"QueryExecutionIds": ["x"]}, page | {"NextToken": "more"})
    add("batch_get_query_execution", {"QueryExecutions": executions})
    add("batch_get_query_execution", {"QueryExecutions": [left("x", "QUEUED", "salescast")]})
    for execution_id in ("3", "x"):
        add("stop_query_execution", {}, {"QueryExecutionId": execution_id})
    waiting = {"QueryExecutionIds": ["3", "x"]}
    states = [left("3", "CANCELLED", "salescast"), left("x", "RUNNING", "salescast")]
    add("batch_get_query_execution", {"QueryExecutions": states}, waiting)
    add(
        "batch_get_query_execution",
        {"QueryExecutions": [left("x", "CANCELLED", "salescast")]},
        {"QueryExecutionIds": ["x"]},
    )
    assert AthenaClient(athena.client, settings).stop_left_behind() == 2
    assert waits == [2.0, 2.0]


def test_what_dbt_sends_in_a_build_is_counted_also_if_it_fails(
    athena: Athena, settings: Settings
) -> None:
    def scanned(execution_id: str, database: str, size: int) -> dict[str, Any]:
        made = left(execution_id, "SUCCEEDED", database)
        return made | {"Statistics": {"DataScannedInBytes": size}}

    add, list_them = athena.stubber.add_response, "list_query_executions"
    add(list_them, {"QueryExecutionIds": ["2", "1"]})
    add(list_them, {"QueryExecutionIds": ["5", "4", "3", "2", "1"]})
    new = [
        scanned("5", "salescast", 20_000_000),
        scanned("4", "another", 7),
        scanned("3", "salescast", 5),
    ]
    asked = {"QueryExecutionIds": ["5", "4", "3"]}
    add("batch_get_query_execution", {"QueryExecutions": new}, asked)
    client = AthenaClient(athena.client, settings)
    with pytest.raises(ValueError, match="the build"), client.counting_dbt():
        raise ValueError("the build failed")
    assert (client.spent.n_statements, client.spent.scanned_bytes) == (2, 20_000_005)


def test_an_account_without_statements_has_none_left_behind(
    athena: Athena, settings: Settings
) -> None:
    athena.stubber.add_response("list_query_executions", {})
    assert AthenaClient(athena.client, settings).stop_left_behind() == 0
