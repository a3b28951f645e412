"""With pytest-xdist: what shares something runs in one process, and NOT RUN is told as ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [f"tests/python/{name}.py" for name in ("test_quantiles", "test_files")]
ONE_GROUP = [f"tests/python/on_sagemaker/{name}.py" for name in ("test_recorded", "test_failures")]


def test_a_file_or_a_folder_stays_in_one_process() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-vv", "--numprocesses", "2", "--dist", "loadfile"),
            *("--no-loadscope-reorder", *FILES, *ONE_GROUP),
            "tests/python/end_to_end/test_walmart.py",
        ],
        # Without the variables of a process of pytest-xdist, as which this test may run.
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        | {"SALESCAST_WALMART_DIR": "/nowhere"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    processes = defaultdict(set)
    for process, file in re.findall(r"\[(gw\d)\].*PASSED (\S+?)::", done.stdout):
        processes[file].add(process)
    assert sorted(processes) == sorted(FILES + ONE_GROUP), done.stdout
    assert all(len(found) == 1 for found in processes.values())
    group, others = (set.union(*map(processes.get, names)) for names in (ONE_GROUP, FILES))
    assert len(group) == 1
    # The folder is one of those that begin first, whatever was named first.
    assert others != group
    heading, reason, count = done.stdout.splitlines()[-3:]
    assert " NOT RUN " in heading
    assert reason.startswith("1 tests: on real data")
    assert "1 skipped" in count


def test_the_lists_name_what_is_there(pytestconfig: pytest.Config) -> None:
    (lists,) = [
        plugin
        for plugin in pytestconfig.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == str(ROOT / "tests/python/conftest.py")
    ]
    groups = {
        lists.group_of(path.relative_to(ROOT))
        for folder in ("tests/python", "packages/local-aws/tests")
        for path in (ROOT / folder).rglob("test_*.py")
    }
    assert set(lists.BEGUN_FIRST) <= groups
    assert all((ROOT / folder).is_dir() for folder in lists.ONE_PROCESS)
