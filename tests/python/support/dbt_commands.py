"""Several dbt commands in one process, which reads the project once.

    python dbt_commands.py FOLDER < commands.json

Reads a list of dbt's arguments a command from standard input and writes answers.json into FOLDER,
which takes dbt's own files too. The command ["fresh"] makes an empty warehouse of the home's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """What became of a command.

    statuses: of each node that ran, by its unique id.
    listed: the unique ids that `dbt ls` gave.
    """

    succeeded: bool
    statuses: dict[str, str]
    listed: list[str]
    messages: list[str]


def run_dbt(
    commands: Sequence[Sequence[str]], folder: Path, home: Path, variables: Mapping[str, str] = {}
) -> list[Answer]:
    """Run dbt's commands on a home, one after another, in a process of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SALESCAST_", "DBT_"))}
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        input=json.dumps(commands),
        env={**inherited, "SALESCAST_HOME": str(home), "SALESCAST_THREADS": "2", **variables},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return [Answer(**answer) for answer in answers]


def main(folder: Path) -> None:
    """Carry out the commands of standard input."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    places = [
        *("--project-dir", str(REPOSITORY), "--profiles-dir", str(REPOSITORY)),
        *("--target-path", str(folder), "--log-path", str(folder), "--quiet"),
    ]
    parsed = dbtRunner().invoke(["parse", *places])
    if parsed.exception:
        raise parsed.exception
    dbt = dbtRunner(manifest=parsed.result)
    answers: list[dict[str, Any]] = []
    for command in json.load(sys.stdin):
        if command == ["fresh"]:
            DuckDBConnectionManager.close_all_connections()
            (Path(os.environ["SALESCAST_HOME"]) / "warehouse.duckdb").unlink(missing_ok=True)
            continue
        keys = ["--output", "json", "--output-keys", "unique_id"] if command[0] == "ls" else []
        found = dbt.invoke([*command, *keys, *places])
        results = getattr(found.result, "results", [])
        answers.append(
            {
                "succeeded": found.success,
                "statuses": {each.node.unique_id: str(each.status) for each in results},
                "listed": [json.loads(line)["unique_id"] for line in found.result or []]
                if command[0] == "ls"
                else [],
                "messages": [str(found.exception)] * (found.exception is not None)
                + [str(each.message) for each in results if each.status in ("error", "fail")],
            }
        )
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
