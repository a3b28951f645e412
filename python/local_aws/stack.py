"""One local AWS: three processes with ports, logs and state in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import boto3
import requests

from local_aws import artifacts, trino
from local_aws.artifacts import StackError

_NEEDED_MEMORY = 2_500_000_000
_START_SECONDS = 180
_STOP_SECONDS = 10
_PROCESSES = ("ministack", "gateway", "trino")


@dataclass(frozen=True)
class Process:
    """One of the three: its id and its port."""

    pid: int
    port: int

    def runs(self) -> bool:
        """Whether the process lives."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1]
        except FileNotFoundError:
            return False
        # A zombie has ended and waits for its parent.
        return state.split()[0] != "Z"

    def memory(self) -> int:
        """Bytes of memory that it holds; 0 if it has ended."""
        with suppress(FileNotFoundError):
            for line in Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmRSS:"):
                    return 1024 * int(line.split()[1])
        return 0


@dataclass(frozen=True)
class Stack:
    """A local AWS in a folder, started or not."""

    home: Path

    @property
    def processes(self) -> dict[str, Process]:
        """Its processes as the state file tells them; empty if it is not started."""
        try:
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {name: Process(**each) for name, each in state.items()}

    @property
    def runs(self) -> bool:
        """Whether all three live."""
        processes = self.processes
        return len(processes) == len(_PROCESSES) and all(p.runs() for p in processes.values())

    @property
    def bucket(self) -> str:
        """The bucket that is there from the start."""
        return trino.BUCKET

    @property
    def gateway_url(self) -> str:
        """Address of Athena and Glue."""
        return self._url("gateway")

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point boto3, and so dbt-athena, at this stack."""
        return {
            "AWS_ENDPOINT_URL": self._url("ministack"),
            "AWS_ENDPOINT_URL_ATHENA": self.gateway_url,
            "AWS_ENDPOINT_URL_GLUE": self.gateway_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": trino.REGION,
            "AWS_REGION": trino.REGION,
            "LOCAL_AWS_BUCKET": self.bucket,
        }

    def log(self, name: str) -> Path:
        """What a process has printed."""
        return self.home / "logs" / f"{name}.log"

    def start(self, say: Callable[[str], None], watch_pid: int | None = None) -> float:
        """Start the three processes and wait until all answer.

        Args:
            say: Told what is going on.
            watch_pid: Stop everything when the process of this id is gone.

        Returns:
            Seconds from the first process to the last answer, without fetching Trino.

        Raises:
            StackError: It is running already, or something is missing or did not start.
        """
        if self.runs:
            raise StackError(f"The stack in {self.home} is running already.")
        self.stop()
        _check_memory()
        trino_home = artifacts.trino_home(say)
        self.log("").parent.mkdir(parents=True, exist_ok=True)
        ports = dict(zip(_PROCESSES, _free_ports(len(_PROCESSES)), strict=True))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        configuration = self.home / "trino" / "etc"
        trino.write_configuration(
            configuration, port=ports["trino"], glue=urls["gateway"], s3=urls["ministack"]
        )
        started = time.monotonic()
        commands = {
            "ministack": [sys.executable, "-m", "ministack.app"],
            "gateway": [
                *(sys.executable, "-m", "local_aws.gateway"),
                *("--port", str(ports["gateway"])),
                *("--trino", urls["trino"]),
                *("--ministack", urls["ministack"]),
            ],
            "trino": trino.command(trino_home, configuration, self.home / "trino" / "data"),
        }
        environment = os.environ | {
            "GATEWAY_PORT": str(ports["ministack"]),
            "BIND_HOST": "127.0.0.1",
            "SERVICES": "s3,sts",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(self.home / "tmp"),
        }
        (self.home / "tmp").mkdir(exist_ok=True)
        try:
            for name in _PROCESSES:
                self._spawn(name, commands[name], ports[name], environment)
            if watch_pid is not None:
                self._spawn_watch(watch_pid)
            say("starting MiniStack, the gateway and Trino")
            self._wait(urls)
            self._make_bucket()
        except BaseException:
            self.stop()
            raise
        return time.monotonic() - started

    def stop(self) -> None:
        """Stop what is running of it; nothing of it is left."""
        processes = self.processes
        for each in processes.values():
            _signal(each.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(p.runs() for p in processes.values()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for each in processes.values():
            _signal(each.pid, signal.SIGKILL)
        self._state_file.unlink(missing_ok=True)

    def _spawn(
        self, name: str, command: list[str], port: int, environment: Mapping[str, str]
    ) -> None:
        with self.log(name).open("wb") as log:
            # A session of its own: the stack outlives the command, and a signal meets all children.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=dict(environment),
                start_new_session=True,
            )
        state = {each: asdict(held) for each, held in self.processes.items()}
        state[name] = {"pid": process.pid, "port": port}
        part = self._state_file.with_suffix(".part")
        part.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        part.replace(self._state_file)

    def _spawn_watch(self, pid: int) -> None:
        subprocess.Popen(
            [sys.executable, "-m", "local_aws.watch", str(pid), str(self.home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait(self, urls: Mapping[str, str]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        waiting = {
            "ministack": lambda: _answers(f"{urls['ministack']}/_ministack/health"),
            "gateway": lambda: _answers(f"{urls['gateway']}/health"),
            "trino": lambda: _answers(f"{urls['trino']}/v1/info", '"starting":false'),
        }
        while waiting:
            for name in list(waiting):
                if waiting[name]():
                    del waiting[name]
                elif not self.processes[name].runs() or time.monotonic() > deadline:
                    tail = self.log(name).read_text(encoding="utf-8", errors="replace")
                    raise StackError(
                        f"{name} did not start:\n" + "\n".join(tail.splitlines()[-10:])
                    )
            time.sleep(0.1)

    def _make_bucket(self) -> None:
        s3 = boto3.client(
            "s3",
            endpoint_url=self._url("ministack"),
            region_name=trino.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        s3.create_bucket(Bucket=self.bucket)

    @property
    def _state_file(self) -> Path:
        return self.home / "state.json"

    def _url(self, name: str) -> str:
        try:
            return f"http://127.0.0.1:{self.processes[name].port}"
        except KeyError:
            raise StackError(
                f"The stack in {self.home} is not running. Start it: python -m local_aws up"
            ) from None


def default_home() -> Path:
    """Folder of the stack: LOCAL_AWS_HOME, or `run/default` in the cache."""
    if home := os.environ.get("LOCAL_AWS_HOME"):
        return Path(home).expanduser().resolve()
    return artifacts.cache_folder() / "run" / "default"


@contextmanager
def running_stack(home: Path, say: Callable[[str], None] = print) -> Iterator[Stack]:
    """A stack that runs while the block does, and not longer than this process."""
    stack = Stack(home)
    stack.start(say, watch_pid=os.getpid())
    try:
        yield stack
    finally:
        stack.stop()


def _answers(url: str, text: str = "") -> bool:
    try:
        answer = requests.get(url, timeout=2)
    except requests.RequestException:
        return False
    return answer.ok and text in answer.text


def _free_ports(n: int) -> list[int]:
    """Ports that nobody listens on; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
    # Takes the end of an own child, which would stay a zombie.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _check_memory() -> None:
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            available = 1024 * int(line.split()[1])
            if available < _NEEDED_MEMORY:
                raise StackError(
                    f"The stack needs about 2.5 GB of memory; {available / 1e9:.1f} GB are free. "
                    "Close something and give the command again."
                )
