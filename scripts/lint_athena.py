"""Compile the models and tests for Athena, without AWS, and check every statement.

A statement fails when sqlfluff's Athena dialect cannot parse it or finds fault with it, when it
uses a function, a type or a form that the lists below do not allow, or when it comes near Athena's
limit on the length of a statement. Incremental models are checked twice: for a first build and for
a later one.

Run from the repository: `.venv/bin/python scripts/lint_athena.py`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.parser import BaseSegment

LIMIT_BYTES = 200_000
"""Athena takes 262,144 bytes; the rest is for what dbt writes around a statement."""

_NAMES = """
    abs array_agg array_join avg cardinality cast ceil chr coalesce cos count count_if date_diff
    date_trunc exp extract floor from_base from_big_endian_64 greatest lag last_value lead least ln
    log10 lower max max_by md5 min mod normalize nullif pi power regexp_like regexp_replace replace
    round row_number sin slice split sqrt substr sum to_hex to_ieee754_64 to_utf8 trim try_cast
    unnest zip_with
"""
FUNCTIONS = frozenset(_NAMES.split())
"""Functions of the models that Athena's engine version 3 documents; a newer Trino has more."""

TYPES = frozenset(["bigint", "boolean", "date", "decimal", "double", "integer", "varchar"])
"""Types to cast to, named as Athena and DuckDB both know them; marts have no other."""

# sqlfluff's Athena dialect grew out of a lax base: it takes these, Athena does not.
_REFUSED = {
    "casting_operator": "write cast(x as type)",
    "object_literal": "Athena has no struct literal",
    "slice": "write the macro array_part",
    "array_literal": "write array[...]",
}

_ENVIRONMENT = {
    "SALESCAST_TARGET": "athena",
    "SALESCAST_LAKE": "s3://lint/lint/lake",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "lint",
    "AWS_SECRET_ACCESS_KEY": "lint",
    "DO_NOT_TRACK": "1",
}
_INCREMENTAL = "config.materialized:incremental"


def main() -> int:
    """Compile, check, print what is wrong; 1 if anything is."""
    project = Path(__file__).resolve().parents[1]
    os.chdir(project)
    os.environ.update(_ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SALESCAST_HOME"] = folder
        first, later = Path(folder, "first_build"), Path(folder, "later_build")
        nodes = _compile(project, first, [], tables={})
        facts = {
            node.name: list(node.columns)
            for node in nodes.values()
            if node.resource_type == "model" and node.config.materialized == "incremental"
        }
        _compile(project, later, ["--select", _INCREMENTAL], tables=facts)
        # The statement of dbt's own test is not ours to style; the local Athena runs it.
        files = [
            path
            for build in (first, later)
            for path in sorted(build.glob("compiled/**/*.sql"))
            if not path.name.startswith("relationships_")
        ]
        with ProcessPoolExecutor() as pool:
            faults = [fault for found in pool.map(_check, files, chunksize=4) for fault in found]
        for fault in faults:
            print(fault.replace(f"{folder}/", ""))
    if not files:
        print("dbt compiled no statement")
        return 1
    print(f"{len(files)} statements for Athena, {len(faults)} faults")
    return 1 if faults else 0


def _compile(
    project: Path, target: Path, selection: list[str], tables: Mapping[str, list[str]]
) -> dict[str, Any]:
    """Compile into `target` as if the Glue databases held `tables`; the manifest's nodes.

    Args:
        project: The dbt project.
        target: Folder to write the statements to.
        selection: dbt's selection.
        tables: Columns of each table.
    """

    def answer(_: BaseClient, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetCallerIdentity":
            return {"Account": "000000000000"}
        if operation == "GetTables":
            return {"TableList": [{"Name": n, "TableType": "EXTERNAL_TABLE"} for n in tables]}
        if operation == "GetTable" and asked["Name"] in tables:
            columns = [{"Name": name, "Type": "string"} for name in tables[asked["Name"]]]
            table = {"Name": asked["Name"], "TableType": "EXTERNAL_TABLE"}
            return {"Table": {**table, "StorageDescriptor": {"Columns": columns}}}
        raise RuntimeError(f"compiling asked AWS for {operation}")

    arguments = ["--quiet", "compile", "--no-populate-cache", *selection]
    arguments += ["--project-dir", str(project), "--profiles-dir", str(project)]
    arguments += ["--target-path", str(target), "--log-path", str(target / "logs")]
    with mock.patch.object(BaseClient, "_make_api_call", answer):
        result = dbtRunner().invoke(arguments)
    if not result.success or not isinstance(result.result, RunExecutionResult):
        raise SystemExit(f"dbt could not compile for Athena: {result.exception or 'see above'}")
    return {r.node.unique_id: r.node for r in result.result.results}


def _check(path: Path) -> list[str]:
    return [f"{path}:{fault}" for fault in _faults(path.read_text(encoding="utf-8"))]


def _faults(sql: str) -> Iterator[str]:
    """What is wrong with one statement, each as `line:position code text`."""
    size = len(sql.encode())
    if size > LIMIT_BYTES:
        yield f"1:1 SIZE {size:,} bytes, at most {LIMIT_BYTES:,} are allowed"
    config = FluffConfig.from_root(
        extra_config_path=str(Path(__file__).resolve().parents[1] / ".sqlfluff-athena"),
        ignore_local_config=True,
    )
    linted = Linter(config=config).lint_string(sql)
    for violation in linted.get_violations():
        yield (
            f"{violation.line_no}:{violation.line_pos} {violation.rule_code()} {violation.desc()}"
        )
    if linted.tree is None:
        return
    for name in linted.tree.recursive_crawl("function_name"):
        if name.raw.lower() not in FUNCTIONS:
            yield (
                f"{_place(name)} FUNC {name.raw} is not among the functions of the list; "
                "if Athena documents it, add it in scripts/lint_athena.py"
            )
    for kind in linted.tree.recursive_crawl("primitive_type"):
        if kind.raw.lower().split("(")[0].strip() not in TYPES:
            yield f"{_place(kind)} TYPE {kind.raw} is not among the types of the list"
    for segment in linted.tree.recursive_crawl(
        *_REFUSED, no_recursive_seg_type="typed_array_literal"
    ):
        yield f"{_place(segment)} SYNTAX {segment.raw}: {_REFUSED[segment.get_type()]}"


def _place(segment: BaseSegment) -> str:
    assert segment.pos_marker is not None
    return "{}:{}".format(*segment.pos_marker.source_position())


if __name__ == "__main__":
    sys.exit(main())
