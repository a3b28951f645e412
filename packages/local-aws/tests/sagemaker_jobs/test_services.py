"""The command and a stack that was started for SageMaker only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.artifacts import StackError
from local_aws.stack import Stack


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_aws", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_commands_know_sagemaker(stack: Stack) -> None:
    assert stack.runs
    assert stack.services == ("sagemaker",)
    status = run(stack.home, "status")
    assert status.returncode == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()] == [
        ["ministack", "runs"],
        ["sagemaker", "runs"],
    ]
    exported = run(stack.home, "env").stdout
    assert f"export AWS_ENDPOINT_URL_SAGEMAKER={stack.sagemaker_url}" in exported
    assert "ATHENA" not in exported
    assert run(stack.home, "logs", "sagemaker").returncode == 0


def test_up_beside_a_stack_of_fewer_services(stack: Stack) -> None:
    again = run(stack.home, "up", "--services", "sagemaker")
    assert (again.returncode, again.stdout) == (0, f"It is running already, in {stack.home}.\n")
    more = run(stack.home, "up")
    assert more.returncode == 1
    assert "for sagemaker only. Take it down first" in more.stderr
    with pytest.raises(StackError, match="runs without gateway"):
        assert stack.gateway_url


def test_a_state_file_of_a_stack_without_sagemaker(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        # The start in ticks stands 22nd.
        started = int(Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").split()[21])
        old = {"ministack": {"pid": process.pid, "port": 20000, "started": started}}
        (tmp_path / "state.json").write_text(json.dumps(old), encoding="utf-8")
        assert Stack(tmp_path).services == ("athena",)
        status = run(tmp_path, "status")
        assert (status.returncode, status.stdout.split()[:2]) == (1, ["ministack", "runs"])
        assert run(tmp_path, "down").stdout == "Stopped.\n"
        assert process.wait(10) < 0
    finally:
        process.kill()
    assert not (tmp_path / "state.json").exists()


def test_services_that_there_are_not(tmp_path: Path) -> None:
    unknown = run(tmp_path, "up", "--services", "athena,glue")
    assert unknown.returncode == 2
    assert "glue: there are athena, sagemaker." in unknown.stderr
    with pytest.raises(StackError, match="Services are sagemaker and athena, not glue"):
        Stack(tmp_path).start(print, services=("glue",))
