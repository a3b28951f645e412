"""dbt as a subprocess: progress from its events, failures from its results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salescast.child import Progress, run_child
from salescast.errors import RunError
from salescast.warehouse import BuildResult, database_file

_FAILED = {"error", "fail", "runtime error", "partial success"}
_FINISHED_EVENTS = {
    "LogModelResult",
    "LogTestResult",
    "LogSeedResult",
    "LogSnapshotResult",
    "LogNodeResult",
    "LogNodeNoOpResult",
    "SkippingDetails",
    "LogSkipBecauseError",
}
FailingRows = Callable[[str], list[str]]
"""Takes the SQL of a failed data test, gives up to five of its rows as text."""


@dataclass(frozen=True)
class DbtProject:
    """Where a dbt project is, and the folder of the home that dbt writes into."""

    folder: Path
    home: Path
    environment: Mapping[str, str]

    @property
    def target(self) -> Path:
        """Folder of dbt's manifest, results and compiled SQL."""
        return self.home / "dbt" / "target"

    @property
    def logs(self) -> Path:
        """Folder of dbt's own log and of the last invocation's events."""
        return self.home / "dbt" / "logs"


def dbt_build(
    project: DbtProject,
    what: str,
    selection: Sequence[str],
    *,
    full_refresh: bool,
    progress: Progress,
    failing_rows: FailingRows,
) -> BuildResult:
    """Run `dbt build` without unit tests, which no data can change.

    Args:
        project: The project and the home it builds into.
        what: What is built, in a few words that progress and errors name.
        selection: dbt's arguments that select nodes; empty for the whole project.
        full_refresh: Rebuild incremental models from nothing.
        progress: Told how many nodes are done.
        failing_rows: Looks up rows of a failed data test once dbt has let go of the warehouse.

    Raises:
        RunError: A node failed, dbt could not start, or the warehouse file is open elsewhere.
    """
    command = [
        *_dbt(project, "--log-format", "json", "--log-level", "info"),
        "build",
        *_places(project),
    ]
    command += [*selection, "--exclude-resource-type", "unit_test"]
    if full_refresh:
        command.append("--full-refresh")

    results_file = project.target / "run_results.json"
    results_file.unlink(missing_ok=True)
    task = f"dbt build {what}"
    events = _Events(task, progress)
    log = project.logs / "last_build.jsonl"
    progress(f"{task}: starting")
    status = run_child(
        command,
        log=log,
        on_line=events.take,
        environment=project.environment,
        cwd=project.folder,
    )
    if status != 0:
        file = project.home / "warehouse.duckdb"
        if (problem := database_file.told(events.errors, file)) is not None:
            raise problem
    results = _read_json(results_file)
    nodes = _read_json(project.target / "manifest.json").get("nodes", {}) if results else {}
    failures = [r for r in results.get("results", []) if r.get("status") in _FAILED]
    if failures:
        raise RunError(
            f"{task} failed at {len(failures)} "
            f"{'node' if len(failures) == 1 else 'nodes'}:\n"
            + "\n".join(
                _describe(r, nodes.get(r["unique_id"], {}), failing_rows) for r in failures
            ),
            where=str(project.logs),
            fix="Mend what the nodes name (data, mapping or SQL), then go on with `salescast run "
            "--resume`; for another --cutoff or --horizon start a new run.",
        )
    if status != 0 or not results:
        raise RunError(
            f"{task} did not start its work (exit status {status}):\n"
            + "\n".join(f"  {line}" for line in events.last_errors() or ["no message"]),
            where=str(log),
            fix="Mend what it names; `dbt parse` shows a fault of the dbt project itself.",
        )
    warned = tuple(
        _describe_warning(r, nodes.get(r["unique_id"], {}), failing_rows)
        for r in results["results"]
        if r.get("status") == "warn"
    )
    return BuildResult(
        seconds=float(results.get("elapsed_time", 0.0)),
        n_nodes=len(results["results"]),
        warnings=warned,
    )


def create_lake_sources(project: DbtProject) -> None:
    """Make the tables on the lake's folders, as every build does at its start.

    Raises:
        RunError: dbt failed; holds its last lines.
    """
    log = project.logs / "create_lake_sources.log"
    lines: list[str] = []
    status = run_child(
        [
            *_dbt(project, "--log-level", "warn"),
            *("run-operation", "create_lake_sources"),
            *_places(project),
        ],
        log=log,
        on_line=lines.append,
        environment=project.environment,
        cwd=project.folder,
    )
    if status != 0:
        raise RunError(
            "The tables of the lake could not be made:\n"
            + "\n".join(f"  {line}" for line in lines[-12:]),
            where=str(log),
            fix="Check the set-up with `salescast doctor`.",
        )


def _dbt(project: DbtProject, *options: str) -> list[str]:
    return [
        *(sys.executable, "-W", "ignore::RuntimeWarning", "-m", "salescast.warehouse.dbt_program"),
        *options,
        *("--no-version-check", "--no-send-anonymous-usage-stats"),
        *("--log-path", str(project.logs)),
    ]


def _places(project: DbtProject) -> list[str]:
    return [
        *("--project-dir", str(project.folder), "--profiles-dir", str(project.folder)),
        *("--target-path", str(project.target)),
    ]


class _Events:
    """Reads dbt's log lines: counts finished nodes, keeps errors."""

    def __init__(self, task: str, progress: Progress) -> None:
        self._task = task
        self._progress = progress
        self._done = 0
        self._errors: list[str] = []

    def take(self, line: str) -> None:
        try:
            event = json.loads(line)
            info, data = event["info"], event["data"]
        except (json.JSONDecodeError, KeyError, TypeError):
            # Not an event: a traceback of Python or a library's own print.
            self._keep_error(line)
            return
        if info.get("level") == "error":
            self._keep_error(str(info.get("msg", "")))
        total = data.get("total") or data.get("num_models")
        if info.get("name") in _FINISHED_EVENTS and total:
            self._done += 1
            self._progress(f"{self._task}: {self._done}/{total} nodes")

    def _keep_error(self, text: str) -> None:
        if text.strip():
            self._errors.append(text.strip())

    @property
    def errors(self) -> str:
        """All errors, one after another."""
        return "\n".join(self._errors)

    def last_errors(self) -> list[str]:
        lines = [line for error in self._errors for line in error.splitlines() if line.strip()]
        return lines[-12:]


def _describe(result: Mapping[str, Any], node: Mapping[str, Any], failing_rows: FailingRows) -> str:
    lines = [f"  {_name(result)}: {_indent(result.get('message'))}"]
    if help_text := _help(node):
        lines.append(f"    what to do: {_indent(help_text)}")
    sql = result.get("compiled_code")
    if result.get("status") == "fail" and result["unique_id"].startswith("test.") and sql:
        rows = failing_rows(sql)
        lines += [f"    row: {row}" for row in rows]
    return "\n".join(lines)


def _describe_warning(
    result: Mapping[str, Any], node: Mapping[str, Any], failing_rows: FailingRows
) -> str:
    text = f"{_name(result)}: {_help(node) or _first_line(result.get('message'))}"
    sql = result.get("compiled_code")
    rows = failing_rows(sql) if sql and result["unique_id"].startswith("test.") else []
    return "\n".join([text, *(f"    row: {row}" for row in rows)])


def _help(node: Mapping[str, Any]) -> str | None:
    """What to do when a test fails, as its YAML says."""
    meta = (node.get("config") or {}).get("meta") or {}
    text = meta.get("help")
    return str(text).strip() if text else None


def _name(result: Mapping[str, Any]) -> str:
    kind, _, *rest = str(result["unique_id"]).split(".")
    return f"{kind} {rest[0] if rest else ''}".strip()


def _first_line(message: Any) -> str:
    lines = str(message or "no message").strip().splitlines()
    return lines[0] if lines else "no message"


def _indent(message: Any) -> str:
    return "\n    ".join(str(message or "no message").strip().splitlines()[:12])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}
