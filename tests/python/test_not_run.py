"""A test that cannot run here is told of at the end of pytest's report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_was_not_run_is_said_last_with_its_reason() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/python/end_to_end/test_walmart.py"],
        env=os.environ | {"SALESCAST_WALMART_DIR": "/nowhere"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    heading, reason, count = done.stdout.splitlines()[-3:]
    assert " NOT RUN " in heading
    assert reason.startswith("1 tests: on real data; there is no /nowhere/train.csv*")
    assert count.startswith("1 skipped")
