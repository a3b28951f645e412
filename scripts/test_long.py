"""Run the tests of chance with all their cases and keep what came of it, with its date.

Run from the repository: `make test-long`. The result is `benchmarks/results/test_long.json`; the
exit status is pytest's.
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
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "test_long.json"
# What `--long` makes longer: all else is the same in `make test`.
TESTS = ("athena/test_builds.py", "sagemaker", "test_contract_properties.py")


def main() -> int:
    """Run pytest, write the result."""
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        command = [
            *(
                sys.executable,
                "-m",
                "pytest",
                "--long",
                *(f"tests/python/{name}" for name in TESTS),
            ),
            *("-v", "--junitxml", str(report), "--override-ini", "junit_family=xunit2"),
        ]
        status = subprocess.run(command, cwd=ROOT).returncode
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    result = {
        "command": "make test-long",
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds()),
        "machine": {"cores": os.cpu_count(), "system": platform.system()},
        "exit_status": status,
        "outcomes": {outcome: n for outcome, n in _outcomes(cases).items() if n},
        "tests": [
            {
                "test": f"{case.get('classname', '').rsplit('.', 1)[-1]}::{case.get('name')}",
                "outcome": _outcome(case),
                "seconds": round(float(case.get("time", 0)), 1),
                **{each.get("name", ""): each.get("value") for each in case.iter("property")},
            }
            for case in cases
        ],
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written: {RESULT.relative_to(ROOT)}")
    return status


def _outcomes(cases: list[ElementTree.Element]) -> dict[str, int]:
    found = [_outcome(case) for case in cases]
    return {name: found.count(name) for name in ("passed", "failed", "skipped")}


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


if __name__ == "__main__":
    sys.exit(main())
