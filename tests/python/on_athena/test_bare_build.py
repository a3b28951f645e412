"""The first thing that a dbt user types: `dbt build`, on a lake in which nothing has landed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from local_aws.stack import Stack
from support.warehouse import Athena

# Whatever the shell says, all kinds of nodes.
ALL_KINDS = {"DBT_RESOURCE_TYPES": "model seed test unit_test"}


@pytest.mark.timeout(1800)
def test_a_bare_build_passes_on_an_empty_home(stack: Stack, tmp_path: Path) -> None:
    athena = Athena(stack, "bare", tmp_path, variables=ALL_KINDS)
    athena.build()

    target = tmp_path / "target"
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    n_unit_tests = len(manifest["unit_tests"])
    kinds = Counter(each["unique_id"].split(".")[0] for each in results)
    assert kinds["unit_test"] == n_unit_tests > 80
    assert kinds["test"] > 100
    assert {each["status"] for each in results} == {"success", "pass"}

    described = athena.client("glue").get_table(DatabaseName="bare_marts", Name="dim_week")["Table"]
    node = manifest["nodes"]["model.salescast.dim_week"]
    assert described["Description"] == node["description"]
    assert {
        column["Name"]: column.get("Comment")
        for column in described["StorageDescriptor"]["Columns"]
    } == {name: column["description"] for name, column in node["columns"].items()}

    # An empty lake has no newest row, and a warning is no failure.
    printed = athena.dbt("source", "freshness")
    assert printed.count("WARN freshness of lake.") == 2
