"""Run the tests that `--long` makes longer or adds to, and keep what came of them, with the date.

Run from the repository: `make test-long`, or one suite: `python scripts/test_long.py athena`. The
result is `benchmarks/results/test_long.json`, where a suite's entry is replaced by its last run;
the exit status is that of the first suite that failed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "test_long.json"
# What `--long` makes longer: all else is the same in `make test`.
SUITES = {
    "athena": ["tests/python/on_athena/test_builds.py", "tests/python/on_athena/test_equality.py"],
    "sagemaker": ["tests/python/on_sagemaker"],
    "properties": [
        "tests/python/test_contract_properties.py",
        "tests/python/test_incremental_marts.py",
    ],
    # `make test` leaves it out where its folder is as it was.
    "local-aws": ["packages/local-aws/tests"],
}


def main(names: list[str]) -> int:
    """Run pytest for each suite, write the results."""
    if unknown := set(names) - set(SUITES):
        print(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    statuses = [_run(name) for name in names or SUITES]
    return next((status for status in statuses if status), 0)


def _run(name: str) -> int:
    """Run one suite and keep its result; returns pytest's exit status."""
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        command = [
            *(sys.executable, "-m", "pytest", "--long", *SUITES[name]),
            *("-v", "--junitxml", str(report), "--override-ini", "junit_family=xunit2"),
        ]
        status = subprocess.run(command, cwd=ROOT).returncode
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    results[name] = {
        "command": f"python scripts/test_long.py {name}",
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds()),
        "machine": {"cores": os.cpu_count(), "system": platform.system()},
        "exit_status": status,
        "outcomes": {outcome: n for outcome, n in _outcomes(cases).items() if n},
        "tests": [_test(case) for case in cases],
    }
    RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {RESULT.relative_to(ROOT)}")
    return status


def _test(case: ElementTree.Element) -> dict[str, Any]:
    return {
        "test": f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}",
        "outcome": _outcome(case),
        "seconds": round(float(case.get("time", 0)), 1),
        **{each.get("name", ""): each.get("value") for each in case.iter("property")},
    }


def _outcomes(cases: list[ElementTree.Element]) -> dict[str, int]:
    found = [_outcome(case) for case in cases]
    return {name: found.count(name) for name in ("passed", "failed", "skipped")}


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
