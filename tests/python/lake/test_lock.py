"""The lock, held by real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from salescast.errors import RunError
from salescast.lake.lock import hold_lock, lock_owner

HOLD = """
import subprocess, sys
from pathlib import Path
from salescast.lake.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "salescast run"):
    if len(sys.argv) > 2:
        child = subprocess.Popen(["sleep", sys.argv[2]], close_fds=False)
        print("held", child.pid, flush=True)
    else:
        print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(home: Path, *arguments: str) -> tuple[subprocess.Popen[str], list[str]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    words = holder.stdout.readline().split()
    assert words[:1] == ["held"]
    return holder, words


def test_a_second_process_is_told_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    holder, _ = start_holder(tmp_path)
    try:
        with pytest.raises(RunError) as caught, hold_lock(tmp_path, "salescast ingest"):
            pass
    finally:
        holder.communicate("")
    message = str(caught.value)
    assert "salescast run" in message
    assert f"process {holder.pid}" in message
    assert "since 20" in message
    assert "Wait" in message
    with hold_lock(tmp_path, "salescast ingest"):
        assert lock_owner(tmp_path)["command"] == "salescast ingest"
    assert lock_owner(tmp_path) == {}


def test_the_kernel_frees_the_lock_of_a_killed_holder(tmp_path: Path) -> None:
    holder, _ = start_holder(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert lock_owner(tmp_path)["pid"] == holder.pid
    with hold_lock(tmp_path, "salescast run --resume"):
        assert lock_owner(tmp_path)["command"] == "salescast run --resume"


def test_an_orphan_of_a_killed_holder_keeps_the_lock_until_it_ends(tmp_path: Path) -> None:
    holder, words = start_holder(tmp_path, "0.7")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with pytest.raises(RunError, match="child of it is still"), hold_lock(tmp_path, "x"):
        pass
    deadline = time.monotonic() + 10
    while True:
        try:
            with hold_lock(tmp_path, "x"):
                break
        except RunError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    holder.communicate()
    assert int(words[1]) > 0


def test_the_owner_file_is_whole_json(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "new" / "home", "salescast build"):
        owner = json.loads((tmp_path / "new" / "home" / "lock.json").read_text())
    assert set(owner) == {"pid", "host", "command", "since"}
