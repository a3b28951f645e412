"""Descriptions of the YAML lie beside the rows, in the file that people open."""

from __future__ import annotations

import json

import pytest

from support.home import Home

pytestmark = pytest.mark.dbt


def test_published_tables_and_columns_have_their_descriptions(small: Home) -> None:
    manifest = json.loads((small.path / "dbt/target/manifest.json").read_text(encoding="utf-8"))
    tables = {
        (node["schema"], node["name"]): node["description"]
        for node in manifest["nodes"].values()
        if node["config"].get("access") == "public"
    }
    columns = {
        (node["schema"], node["name"], column["name"]): column["description"]
        for node in manifest["nodes"].values()
        if node["config"].get("access") == "public"
        for column in node["columns"].values()
    }
    assert len(tables) > 20
    found = small.marts("select schema_name, table_name, comment from duckdb_tables()")
    assert {(schema, table): comment for schema, table, comment in found} == tables
    found = small.marts(
        "select schema_name, table_name, column_name, comment from duckdb_columns()"
        " where not internal"
    )
    assert {tuple(names): comment for *names, comment in found} == columns
