"""One local AWS: processes with ports, logs and state in a folder of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from local_aws import artifacts, trino
from local_aws.artifacts import StackError

_NEEDED_MEMORY = 2_500_000_000
_START_SECONDS = 180
_STOP_SECONDS = 10
SERVICES = {"sagemaker": ("sagemaker",), "athena": ("gateway", "trino")}
"""What can be asked for, with the processes that it needs beside MiniStack."""
PROCESSES = ("ministack", *(name for names in SERVICES.values() for name in names))
_HEALTH = {
    "ministack": ("/_ministack/health", ""),
    "gateway": ("/health", ""),
    "sagemaker": ("/health", ""),
    "trino": ("/v1/info", '"starting":false'),
}
# Below the ports that a connection of anybody may get for its own end until Trino listens.
_PORTS = range(20000, 32000)
_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Process:
    """One of them: its id, its port, and when it started in ticks since the machine did."""

    pid: int
    port: int
    started: int

    def runs(self) -> bool:
        """Whether the process lives; another one that got its id later is not it."""
        state = _state_of(self.pid)
        # A zombie has ended and waits for its parent.
        return state is not None and state[0] != "Z" and int(state[19]) == self.started

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
        return {name: Process(**each) for name, each in self._state["processes"].items()}

    @property
    def services(self) -> tuple[str, ...]:
        """What it was started for; empty if it is not started."""
        return tuple(self._state["services"])

    @property
    def runs(self) -> bool:
        """Whether all live that its services need."""
        state = self._state
        processes = self.processes
        return bool(processes) and all(
            name in processes and processes[name].runs() for name in _needed(state["services"])
        )

    @property
    def bucket(self) -> str:
        """The bucket that is there from the start."""
        return trino.BUCKET

    @property
    def gateway_url(self) -> str:
        """Address of Athena and Glue."""
        return self._url("gateway")

    @property
    def sagemaker_url(self) -> str:
        """Address of SageMaker."""
        return self._url("sagemaker")

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point boto3, and so dbt-athena, at this stack."""
        urls = {"AWS_ENDPOINT_URL": self._url("ministack")}
        if "athena" in self.services:
            urls["AWS_ENDPOINT_URL_ATHENA"] = self.gateway_url
            urls["AWS_ENDPOINT_URL_GLUE"] = self.gateway_url
        if "sagemaker" in self.services:
            urls["AWS_ENDPOINT_URL_SAGEMAKER"] = self.sagemaker_url
        return urls | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": trino.REGION,
            "AWS_REGION": trino.REGION,
            "LOCAL_AWS_BUCKET": self.bucket,
        }

    def log(self, name: str) -> Path:
        """What a process has printed."""
        return self.home / "logs" / f"{name}.log"

    def start(
        self,
        say: Callable[[str], None],
        watch_pid: int | None = None,
        services: Sequence[str] = tuple(SERVICES),
    ) -> float:
        """Start the processes and wait until all answer.

        Args:
            say: Told what is going on.
            watch_pid: Stop everything when the process of this id is gone.
            services: Of athena and sagemaker, those wanted; S3, STS and logs are there anyway.

        Returns:
            Seconds from the first process to the last answer, without fetching Trino.

        Raises:
            StackError: It is running already, or something is missing or did not start.
        """
        if not services or set(services) - set(SERVICES):
            raise StackError(f"Services are {' and '.join(SERVICES)}, not {', '.join(services)}.")
        with artifacts.only_one(self.home):
            return self._start(say, watch_pid, services)

    def _start(
        self, say: Callable[[str], None], watch_pid: int | None, services: Sequence[str]
    ) -> float:
        if self.runs:
            raise StackError(f"The stack in {self.home} is running already.")
        self.stop()
        names = _needed(services)
        _check_machine(services)
        self.log("").parent.mkdir(parents=True, exist_ok=True)
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        temp = self._work / "tmp"
        commands = {"ministack": [sys.executable, "-m", "ministack.app"]}
        if "sagemaker" in services:
            commands["sagemaker"] = [
                *(sys.executable, "-m", "local_aws.sagemaker"),
                *("--port", str(ports["sagemaker"]), "--region", trino.REGION),
                *("--account", _ACCOUNT, "--s3", urls["ministack"]),
                *("--work", str(self._work / "sagemaker")),
            ]
        if "athena" in services:
            commands |= self._athena_commands(artifacts.trino_home(say), ports, urls, temp)
        temp.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        environment = _without_aws(os.environ) | {
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": _ACCOUNT,
            "MOTO_ACCOUNT_ID": _ACCOUNT,
            "GATEWAY_PORT": str(ports["ministack"]),
            "BIND_HOST": "127.0.0.1",
            "SERVICES": "s3,sts,logs",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(temp),
        }
        try:
            self._write_state({"services": list(services), "processes": {}})
            for name in names:
                with _undisturbed():
                    self._spawn(name, commands[name], ports[name], environment)
            if watch_pid is not None:
                self._spawn_watch(watch_pid)
            say(f"starting {', '.join(names)}")
            self._wait(urls)
            self._make_bucket()
        except BaseException:
            with _undisturbed():
                self.stop()
            raise
        return time.monotonic() - started

    def _athena_commands(
        self, trino_home: Path, ports: Mapping[str, int], urls: Mapping[str, str], temp: Path
    ) -> dict[str, list[str]]:
        configuration = self._work / "etc"
        trino.write_configuration(
            configuration, port=ports["trino"], glue=urls["gateway"], s3=urls["ministack"]
        )
        return {
            "gateway": [
                *(sys.executable, "-m", "local_aws.gateway"),
                *("--port", str(ports["gateway"]), "--region", trino.REGION),
                *("--trino", urls["trino"]),
                *("--ministack", urls["ministack"]),
            ],
            "trino": trino.command(trino_home, configuration, self._work / "data", temp),
        }

    def stop(self) -> None:
        """Stop what is running of it; nothing of it is left but the logs."""
        processes = self.processes.values()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for each in processes:
                if each.runs():
                    _signal(each.pid, number)
            deadline = time.monotonic() + _STOP_SECONDS
            while any(each.runs() for each in processes) and time.monotonic() < deadline:
                time.sleep(0.1)
        for each in processes:
            # Takes the end of an own child, which would stay a zombie.
            with suppress(ChildProcessError):
                os.waitpid(each.pid, os.WNOHANG)
        self._state_file.unlink(missing_ok=True)
        shutil.rmtree(self._work, ignore_errors=True)

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
        state = self._state
        found = _state_of(process.pid)
        assert found is not None
        state["processes"][name] = asdict(Process(process.pid, port, int(found[19])))
        self._write_state(state)

    @property
    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"services": [], "processes": {}}
        if "processes" not in state:
            # Written before there was SageMaker, by a stack that may run still.
            return {"services": ["athena"], "processes": state}
        return state

    def _write_state(self, state: Mapping[str, Any]) -> None:
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
        waiting = dict(urls)
        while waiting:
            for name in list(waiting):
                process = self.processes.get(name)
                if process is None:
                    raise StackError(f"The stack in {self.home} was stopped meanwhile.")
                page, text = _HEALTH[name]
                if _answers(f"{urls[name]}{page}", text):
                    del waiting[name]
                elif not process.runs() or time.monotonic() > deadline:
                    tail = self.log(name).read_text(encoding="utf-8", errors="replace")
                    raise StackError(
                        f"{name} did not start:\n" + "\n".join(tail.splitlines()[-10:])
                    )
            time.sleep(0.1)

    def _make_bucket(self) -> None:
        answer = _ask("PUT", f"{self._url('ministack')}/{self.bucket}")
        if answer is None or not answer.ok:
            raise StackError(f"MiniStack did not make the bucket {self.bucket}; see its log.")

    @property
    def _work(self) -> Path:
        """Configuration, data and temporary files of the processes; its name is nobody else's."""
        return self.home / ".local-aws"

    @property
    def _state_file(self) -> Path:
        return self.home / "state.json"

    def _url(self, name: str) -> str:
        try:
            return f"http://127.0.0.1:{self.processes[name].port}"
        except KeyError:
            if self.runs:
                raise StackError(
                    f"The stack in {self.home} runs without {name}: it was started for "
                    f"{', '.join(self.services)} only. Take it down and start it anew."
                ) from None
            raise StackError(
                f"The stack in {self.home} is not running. Start it: python -m local_aws up"
            ) from None


def default_home() -> Path:
    """Folder of the stack: LOCAL_AWS_HOME, or `run/default` in the cache."""
    if home := os.environ.get("LOCAL_AWS_HOME"):
        return Path(home).expanduser().resolve()
    return artifacts.cache_folder() / "run" / "default"


@contextmanager
def running_stack(
    home: Path,
    say: Callable[[str], None] = print,
    services: Sequence[str] = tuple(SERVICES),
) -> Iterator[Stack]:
    """A stack that runs while the block does, and not longer than this process."""
    stack = Stack(home.resolve())
    stack.start(say, os.getpid(), services)
    try:
        yield stack
    finally:
        stack.stop()


def _answers(url: str, text: str = "") -> bool:
    answer = _ask("GET", url)
    return answer is not None and answer.ok and text in answer.text


def _ask(method: str, url: str) -> requests.Response | None:
    with requests.Session() as http:
        # No proxy of the environment is meant for this.
        http.trust_env = False
        try:
            return http.request(method, url, timeout=5)
        except requests.RequestException:
            return None


def _without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without a profile or an endpoint of the user's."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def _free_ports(n: int) -> list[int]:
    """Ports that nobody listens on; held together, so that they differ."""
    sockets: list[socket.socket] = []
    try:
        for port in random.sample(_PORTS, len(_PORTS)):
            held = socket.socket()
            sockets.append(held)
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                sockets.remove(held)
                held.close()
            if len(sockets) == n:
                break
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _state_of(pid: int) -> list[str] | None:
    """What Linux tells of a process from its state on; None if there is none of that id."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before it may hold anything.
    return text.rsplit(")", 1)[1].split()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold signals back until the block is done, so that no process is started and not known."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: came.append(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if came:
        signal.raise_signal(came[0])


def _needed(services: Sequence[str]) -> list[str]:
    """Names of the processes that services need, in the order in which they are started."""
    return [
        "ministack",
        *(name for each in SERVICES if each in services for name in SERVICES[each]),
    ]


def _check_machine(services: Sequence[str]) -> None:
    if not sys.platform.startswith("linux"):
        raise StackError("The stack runs on Linux only.")
    if "athena" in services:
        _check_memory()
    if problem := artifacts.missing_packages(["ministack"]):
        raise StackError(problem)
    needed = ["salescast", "torch", "gluonts"] if "sagemaker" in services else []
    if problem := artifacts.missing_packages(
        needed, "'.[deepar]' './packages/local-aws[sagemaker]'"
    ):
        raise StackError(f"{problem}; or do without SageMaker: `up --services athena`")


def _check_memory() -> None:
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            available = 1024 * int(line.split()[1])
            if available < _NEEDED_MEMORY:
                raise StackError(
                    f"The stack needs about 2.5 GB of memory; {available / 1e9:.1f} GB are free. "
                    "Close something and give the command again."
                )
