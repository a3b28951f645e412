"""The doctor on a running local AWS: a sound set-up, broken ones, and that nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from click.testing import CliRunner

from local_aws.stack import Stack
from salescast.cli import cli
from salescast.lake import LAKE_SCHEMAS
from support.warehouse import Athena

Checks = dict[str, dict[str, Any]]


def examine(athena: Athena, **variables: str) -> Checks:
    """What the doctor tells, by check; its exit code fits."""
    result = CliRunner(env={**athena.environment, **variables}).invoke(cli, ["doctor", "--json"])
    assert result.exit_code in (0, 1), result.output
    assert "unexpected" not in result.output
    checks = {each["name"]: each for each in json.loads(result.stdout)["checks"]}
    assert result.exit_code == bool(names(checks, "failed"))
    return checks


def names(checks: Checks, state: str) -> list[str]:
    """Names of the checks that ended like this."""
    return [name for name, each in checks.items() if each["state"] == state]


def kept(athena: Athena) -> tuple[list[str], list[str]]:
    """Keys of this warehouse in the bucket, and its databases."""
    pages = athena.client("glue").get_paginator("get_databases").paginate()
    databases = [each["Name"] for page in pages for each in page["DatabaseList"]]
    own = [name for name in databases if name.startswith(athena.name)]
    return athena.keys(f"s3://{athena.stack.bucket}/{athena.name}"), own


@pytest.fixture(scope="module")
def athena(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Athena:
    """A warehouse whose lake tables are made."""
    made = Athena(stack, f"doctor_{uuid4().hex[:8]}", tmp_path_factory.mktemp("doctor"))
    made.dbt("run-operation", "create_lake_sources")
    return made


@pytest.fixture
def unchanged(athena: Athena) -> Iterator[None]:
    """After the test there is nothing that was not there before, and all of that."""
    before = kept(athena)
    yield
    assert kept(athena) == before


@pytest.mark.usefixtures("unchanged")
def test_a_sound_set_up_passes(athena: Athena) -> None:
    checks = examine(athena)
    assert names(checks, "failed") == names(checks, "not checked") == []
    assert "conditional put" in checks["lake"]["found"]
    assert checks["databases"]["found"].startswith("1 of 8")
    assert checks["lake tables"]["found"].startswith(f"{len(LAKE_SCHEMAS)} tables")
    assert "account 000000000000" in checks["credentials"]["found"]


def test_nothing_is_left_where_nothing_was(stack: Stack, tmp_path: Path) -> None:
    new = Athena(stack, f"doctor_{uuid4().hex[:8]}", tmp_path / "home")
    checks = examine(new)
    assert names(checks, "failed") == []
    assert kept(new) == ([], [])
    assert not new.folder.exists()


@pytest.mark.usefixtures("unchanged")
def test_a_work_group_that_enforces_its_place_fails(athena: Athena) -> None:
    client = athena.client("athena")
    name = f"enforcing_{uuid4().hex[:8]}"
    place = f"s3://{athena.stack.bucket}/enforced/"
    client.create_work_group(
        Name=name,
        Configuration={
            "ResultConfiguration": {"OutputLocation": place},
            "EnforceWorkGroupConfiguration": True,
        },
    )
    try:
        checks = examine(athena, SALESCAST_ATHENA_WORK_GROUP=name)
    finally:
        client.delete_work_group(WorkGroup=name)
    assert names(checks, "failed") == ["place of results"]
    assert place in checks["place of results"]["found"]
    assert name in checks["place of results"]["fix"]
    assert names(checks, "not checked") == ["statement"]

    checks = examine(athena, SALESCAST_ATHENA_WORK_GROUP=name)
    assert names(checks, "failed") == ["work group"]
    assert "does not exist" in checks["work group"]["found"]


@pytest.mark.usefixtures("unchanged")
def test_a_bucket_that_is_not_there_fails(athena: Athena) -> None:
    checks = examine(athena, SALESCAST_ATHENA_STAGING="s3://no-such-bucket/results")
    assert names(checks, "failed") == ["bucket no-such-bucket"]
    assert "SALESCAST_ATHENA_STAGING" in checks["bucket no-such-bucket"]["found"]
    assert names(checks, "not checked") == ["staging", "statement"]


@pytest.mark.usefixtures("unchanged")
def test_tables_on_another_lake_fail(athena: Athena) -> None:
    other = f"s3://{athena.stack.bucket}/{athena.name}/other"
    checks = examine(athena, SALESCAST_LAKE=other)
    assert names(checks, "failed") == ["lake tables"]
    found = checks["lake tables"]["found"]
    assert f"s3://{athena.stack.bucket}/{athena.name}/lake/raw_sales" in found
    assert other in checks["lake tables"]["fix"]


@pytest.mark.usefixtures("unchanged")
def test_a_rule_that_empties_the_lake_fails(athena: Athena) -> None:
    s3 = athena.client("s3")
    bucket = f"doctor-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    rule = {
        "ID": "tidy",
        "Status": "Enabled",
        "Filter": {"Prefix": "chain/"},
        "Expiration": {"Days": 3},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    try:
        checks = examine(athena, SALESCAST_ATHENA_DATA=f"s3://{bucket}/chain/warehouse")
    finally:
        # Refused while there is an object in it.
        s3.delete_bucket(Bucket=bucket)
    assert names(checks, "failed") == [f"lifecycle of {bucket}"]
    assert "tidy" in checks[f"lifecycle of {bucket}"]["found"]


@pytest.mark.usefixtures("unchanged")
def test_a_statement_that_fails_leaves_nothing(athena: Athena) -> None:
    faults = f"{athena.stack.gateway_url}/faults"
    asked = {"fail_queries": {"match": "select 1", "error": "PERMISSION_DENIED"}}
    requests.post(faults, json=asked, timeout=10).raise_for_status()
    try:
        checks = examine(athena)
    finally:
        requests.delete(faults, timeout=10)
    assert names(checks, "failed") == ["statement"]
    assert "PERMISSION_DENIED" in checks["statement"]["found"]
