from __future__ import annotations

from typing import Any

import pytest

from local_aws.gateway.engine import Context, Outcome
from local_aws.gateway.sql import execute

from .recording_engine import EXECUTION_ID, FakeEngine, Run, hive_table


@pytest.fixture
def engine() -> FakeEngine:
    """Database d with the Hive tables h and p (partitioned by day and n), Iceberg i and view v."""
    made = FakeEngine()
    keys = [{"Name": "day", "Type": "string"}, {"Name": "n", "Type": "int"}]
    parameters = {"table_type": "ICEBERG"}
    made.glue.tables = {
        ("d", "h"): hive_table("h"),
        ("d", "p"): hive_table("p", PartitionKeys=keys),
        ("d", "i"): hive_table("i", Parameters=parameters),
        ("d", "v"): hive_table("v", TableType="VIRTUAL_VIEW", ViewOriginalText="…"),
    }
    return made


@pytest.fixture
def run(engine: FakeEngine) -> Run:
    """Carries out a statement on that engine, in database d."""

    def carry_out(query: str, *, database: str | None = "d", parameters: Any = ()) -> Outcome:
        context = Context(
            database=database,
            output_location="s3://lake/results/",
            execution_id=EXECUTION_ID,
            engine=engine,
            parameters=parameters,
        )
        return execute(query, context)

    return carry_out
