"""The life of a stack: started, seen, beside another one, interrupted, left alone, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws import stack as module
from local_aws.artifacts import StackError
from local_aws.stack import Process, Stack, running_stack

LIMIT = 3_000_000_000


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "local_aws", *arguments, "--home", str(home)]


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(home, *arguments), capture_output=True, text=True)


def processes_of(home: Path) -> list[str]:
    """Command lines of all that runs in a folder or was told of it, as Linux shows them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError):
            line = (folder / "cmdline").read_text(encoding="utf-8").replace("\0", " ")
            where = (folder / "cwd").readlink()
            ended = "State:\tZ" in (folder / "status").read_text(encoding="utf-8")
            mine = str(home) in line or where == home
            if mine and not ended and int(folder.name) != os.getpid():
                found.append(line)
    return found


def left_in(home: Path) -> set[str]:
    """What a stack has left in its folder, beside the lock of `up`."""
    return {path.name for path in home.iterdir()} - {"lock"}


def wait_until(holds: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def client(stack: Stack, service: str) -> Any:
    environment = stack.environment
    special = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    return boto3.client(
        service,
        endpoint_url=special or environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for a stack, which is stopped whatever becomes of the test."""
    yield tmp_path / "second"
    Stack(tmp_path / "second").stop()


def test_a_second_stack_from_up_to_down(stack: Stack, home: Path) -> None:
    up = run(home, "up")
    assert up.returncode == 0, up.stderr
    assert re.search(r"Ready after [0-9]+ s", up.stdout)
    assert f"python -m local_aws env --home {home}" in up.stdout
    second = Stack(home)
    ports = [process.port for process in second.processes.values()]
    assert len({*ports, *(p.port for p in stack.processes.values())}) == 8
    assert all(listens(port) for port in ports)

    status = run(home, "status")
    assert status.returncode == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()] == [
        ["ministack", "runs"],
        ["sagemaker", "runs"],
        ["gateway", "runs"],
        ["trino", "runs"],
    ]
    again = run(home, "up")
    assert (again.returncode, again.stdout) == (0, f"It is running already, in {home}.\n")
    exported = dict(
        line.removeprefix("export ").split("=", 1) for line in run(home, "env").stdout.splitlines()
    )
    assert exported == second.environment
    assert run(home, "logs", "trino").returncode == 0

    # What is in one is not in the other.
    name = "only_in_the_second"
    client(second, "glue").create_database(DatabaseInput={"Name": name})
    client(second, "s3").create_bucket(Bucket="only-here")
    listed = client(stack, "glue").get_databases()["DatabaseList"]
    assert name not in [each["Name"] for each in listed]
    assert "only-here" not in [b["Name"] for b in client(stack, "s3").list_buckets()["Buckets"]]
    athena = client(second, "athena")
    execution_id = athena.start_query_execution(
        QueryString="show databases",
        ResultConfiguration={"OutputLocation": f"s3://{second.bucket}/r/"},
    )["QueryExecutionId"]
    wait_until(
        lambda: (
            athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]["Status"][
                "State"
            ]
            == "SUCCEEDED"
        )
    )
    account = client(second, "sts").get_caller_identity()["Account"]
    database = client(second, "glue").get_database(Name=name)["Database"]
    assert database["CatalogId"] == account

    for each in (stack, second):
        assert sum(process.memory() for process in each.processes.values()) < LIMIT

    down = run(home, "down")
    assert (down.returncode, down.stdout) == (0, "Stopped.\n")
    assert processes_of(home) == []
    assert left_in(home) == {"logs"}
    assert not any(listens(port) for port in ports)
    assert stack.runs
    assert run(home, "down").stdout == f"Nothing is running in {home}.\n"
    status = run(home, "status")
    assert (status.returncode, status.stdout) == (1, "")
    assert "is not running" in status.stderr
    assert "Start it: python -m local_aws up" in run(home, "env").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(home: Path, number: signal.Signals) -> None:
    up = subprocess.Popen(command(home, "up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: "trino" in Stack(home).processes)
    # It goes on starting until the signal comes.
    assert len(processes_of(home)) == 5
    up.send_signal(number)
    assert up.wait(20) != 0
    assert processes_of(home) == []
    assert left_in(home) == {"logs"}
    assert Stack(home).processes == {}


def test_who_is_killed_takes_the_stack_along(home: Path) -> None:
    program = (
        "from pathlib import Path\nfrom local_aws.stack import running_stack\n"
        f"with running_stack(Path({str(home)!r})): pass"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    wait_until(lambda: any("local_aws.watch" in each for each in processes_of(home)))
    owner.kill()
    # Nobody takes its end for now: it stays a zombie.
    wait_until(lambda: processes_of(home) == [], 20)
    owner.wait()
    assert Stack(home).processes == {}


def test_two_ups_at_once(home: Path) -> None:
    first, second = (
        subprocess.Popen(command(home, "up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    )
    wait_until(lambda: "trino" in Stack(home).processes)
    running = [each for each in processes_of(home) if "local_aws up" not in each]
    assert len(running) == 4
    for each in (first, second):
        each.send_signal(signal.SIGINT)
    for each in (first, second):
        assert each.wait(20) != 0
    assert processes_of(home) == []


def test_a_down_during_an_up(home: Path) -> None:
    urls = dict.fromkeys(("ministack", "gateway", "trino"), "http://127.0.0.1:1")
    with pytest.raises(StackError, match="was stopped meanwhile"):
        Stack(home)._wait(urls)


def test_too_little_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEEDED_MEMORY", 10**15)
    with pytest.raises(StackError, match=r"needs about 2\.5 GB of memory; [0-9.]+ GB are free"):
        Stack(home).start(print)
    assert processes_of(home) == []


def test_a_process_that_does_not_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module.trino, "command", lambda *_: ["/bin/sh", "-c", "echo no such luck; exit 1"]
    )
    with (
        pytest.raises(StackError, match="trino did not start:\nno such luck"),
        running_stack(home),
    ):
        pass
    assert [each for each in processes_of(home) if "local_aws.watch" not in each] == []
    wait_until(lambda: processes_of(home) == [], 2)


def test_another_process_of_the_same_id_is_left_alone(home: Path) -> None:
    other = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    home.mkdir()
    (home / "state.json").write_text(
        '{"services": ["athena"], "processes": '
        f'{{"trino": {{"pid": {other.pid}, "port": 1, "started": 1}}}}}}',
        encoding="utf-8",
    )
    assert not Process(other.pid, 1, 1).runs()
    assert run(home, "down").returncode == 0
    assert other.poll() is None
    other.kill()
    other.wait()
