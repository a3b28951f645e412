"""Child processes: their lines, their log, and their end with the parent's."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from salescast.child import run_child
from salescast.lake.lock import hold_lock

PARENT = """
import sys
from pathlib import Path
from salescast.child import run_child
from salescast.lake.lock import hold_lock
home = Path(sys.argv[1])
with hold_lock(home, "salescast run"):
    sleep = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    run_child(sleep, log=home / "log", on_line=lambda line: print(line, flush=True))
"""


def test_lines_are_passed_on_and_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import os, sys; print(os.environ['COLOUR']); print('bad', file=sys.stderr); sys.exit(3)"
    status = run_child(
        [sys.executable, "-c", code],
        log=tmp_path / "logs" / "child.log",
        on_line=lines.append,
        environment={"COLOUR": "green"},
        cwd=tmp_path,
    )
    assert status == 3
    assert sorted(lines) == ["bad", "green"]
    assert (tmp_path / "logs" / "child.log").read_text().splitlines() == lines


def test_an_interrupted_caller_stops_its_child(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    def stop(_: str) -> None:
        raise Stopped

    begun = time.monotonic()
    with pytest.raises(Stopped):
        run_child(
            [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"],
            log=tmp_path / "log",
            on_line=stop,
        )
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_child_of_a_killed_command_ends_and_frees_the_lock(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    time.sleep(0.2)
    with hold_lock(tmp_path, "salescast run --resume"):
        assert (tmp_path / "lock.json").is_file()
