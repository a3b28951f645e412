"""Faults that are asked for at /faults."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from .gateway_server import Gateway


def ask(gateway: Gateway, **wanted: Any) -> requests.Response:
    return requests.post(f"{gateway.url}/faults", json=wanted)


def throttled(gateway: Gateway, n: int) -> list[bool]:
    """Which of so many calls are throttled."""
    found = []
    for _ in range(n):
        try:
            gateway.athena.list_work_groups()
            found.append(False)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ThrottlingException"
            found.append(True)
    return found


def test_throttling_has_a_rate_and_a_seed(gateway: Gateway) -> None:
    assert ask(gateway, throttle_rate=0.3, seed=7).ok
    first = throttled(gateway, 60)
    assert 8 <= sum(first) <= 28
    ask(gateway, throttle_rate=0.3, seed=7)
    assert throttled(gateway, 60) == first
    ask(gateway, throttle_rate=0.3, seed=8)
    assert throttled(gateway, 60) != first
    ask(gateway, throttle_rate=1)
    assert all(throttled(gateway, 3))
    # Glue stays as it is.
    gateway.glue.get_databases()
    assert requests.delete(f"{gateway.url}/faults").ok
    assert not any(throttled(gateway, 3))


def test_queries_that_fail(gateway: Gateway) -> None:
    wanted = {"match": "'bad", "count": 2, "error": "ICEBERG_COMMIT_ERROR", "retryable": True}
    assert ask(gateway, fail_queries=wanted).ok
    states = [gateway.run(f"select '{text}'")["Status"] for text in ("good", *["bad one"] * 3)]
    assert [status["State"] for status in states] == ["SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED"]
    assert states[1]["AthenaError"] == {
        "ErrorCategory": 1,
        "ErrorType": 233,
        "Retryable": True,
        "ErrorMessage": "ICEBERG_COMMIT_ERROR: a fault that was asked for",
    }
    assert ask(gateway, fail_queries={"match": ""}).ok
    states = [gateway.run("select 1")["Status"] for _ in range(2)]
    assert [status["State"] for status in states] == ["FAILED", "SUCCEEDED"]
    assert states[0]["AthenaError"]["ErrorMessage"].startswith("GENERIC_INTERNAL_ERROR: ")


def test_results_that_expire(gateway: Gateway) -> None:
    execution_id = gateway.run("select 1")["QueryExecutionId"]
    ask(gateway, expire_results=True)
    for call in (
        gateway.athena.get_query_execution,
        gateway.athena.get_query_results,
        gateway.athena.stop_query_execution,
    ):
        with pytest.raises(ClientError, match=f"QueryExecution {execution_id} was not found"):
            call(QueryExecutionId=execution_id)
    found = gateway.athena.batch_get_query_execution(QueryExecutionIds=[execution_id])
    assert found["QueryExecutions"] == []
    ask(gateway)
    assert gateway.execution(execution_id)["Status"]["State"] == "SUCCEEDED"


def test_a_delay_which_a_stop_ends(gateway: Gateway) -> None:
    ask(gateway, delay_seconds=0.4)
    started = time.monotonic()
    found = gateway.run("select 1")
    assert 0.4 <= time.monotonic() - started < 3
    assert found["Statistics"]["TotalExecutionTimeInMillis"] >= 400
    ask(gateway, delay_seconds=60)
    execution_id = gateway.start("select 1")
    time.sleep(0.1)
    n = len(gateway.trino.ran)
    gateway.athena.stop_query_execution(QueryExecutionId=execution_id)
    assert gateway.execution(execution_id)["Status"]["State"] == "CANCELLED"
    assert len(gateway.trino.ran) == n


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"throttle": 1}, "no such fault: throttle"),
        ({"fail_queries": {"matches": "x"}}, "no such fault: matches"),
        ({"throttle_rate": "often"}, "throttle_rate is 'often'; int or float is expected"),
        ({"throttle_rate": -0.5}, "throttle_rate is -0.5; 0 to 1 is expected"),
        ({"fail_queries": ["x"]}, "fail_queries is ['x']; dict is expected"),
        ({"fail_queries": {"count": None}}, "count is None; int is expected"),
        ({"expire_results": 1}, "expire_results is 1; bool is expected"),
    ],
)
def test_what_is_no_fault(gateway: Gateway, wanted: dict[str, Any], message: str) -> None:
    ask(gateway, throttle_rate=1)
    answer = ask(gateway, **wanted)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    # What was asked for before stays.
    assert throttled(gateway, 1) == [True]


def test_other_pages(gateway: Gateway) -> None:
    assert requests.get(f"{gateway.url}/health").json() == {"status": "ok"}
    assert requests.get(f"{gateway.url}/faults").status_code == 404
    assert requests.delete(f"{gateway.url}/health").status_code == 404
    assert requests.post(f"{gateway.url}/faults", json=[1]).status_code == 400
