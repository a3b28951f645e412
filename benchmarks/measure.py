"""What the benchmarks share: timed commands with peak memory, figures against targets, results."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
FORECASTER_MODULE = b"salescast.container"
_SAMPLE_SECONDS = 0.1
_PRODUCT_PARTS = (
    "dbt_project.yml",
    "profiles.yml",
    "selectors.yml",
    "models.toml",
    "models",
    "macros",
    "seeds",
    "tests",
    "mappings",
)


@dataclass(frozen=True)
class Measured:
    """One command that ran to its end.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Processor time of all its processes, which a busy machine hardly changes.
        process_mib: Peak RSS of its largest process, as the kernel counted it.
        tree_mib: Peak of the summed RSS of all its processes, sampled; shared pages count in each.
        tree_without_forecaster_mib: The same without the DeepAR program and its children.
        stdout: What it printed.
    """

    seconds: float
    cpu_seconds: float
    process_mib: float
    tree_mib: float
    tree_without_forecaster_mib: float
    stdout: str

    def facts(self) -> dict[str, float]:
        """The numbers, rounded for a result file."""
        return {
            "seconds": round(self.seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "process_mib": round(self.process_mib),
            "tree_mib": round(self.tree_mib),
            "tree_without_forecaster_mib": round(self.tree_without_forecaster_mib),
        }


@dataclass(frozen=True)
class Figure:
    """A measured value and what it should be; `passed` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: str
    passed: bool | None


def at_most(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must not exceed a limit."""
    return Figure(name, value, unit, f"<= {limit:g}", value <= limit)


def below(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must stay under a limit."""
    return Figure(name, value, unit, f"< {limit:g}", value < limit)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that must reach a limit."""
    return Figure(name, value, unit, f">= {limit:g}", value >= limit)


def between(name: str, value: float, low: float, high: float, unit: str = "") -> Figure:
    """A figure that must lie in a range."""
    return Figure(name, value, unit, f"{low:g} to {high:g}", low <= value <= high)


def near(name: str, value: float, wanted: float, tolerance: float, unit: str = "") -> Figure:
    """A figure that must not be further from a value than a tolerance."""
    return Figure(
        name, value, unit, f"{wanted:g} +- {tolerance:g}", abs(value - wanted) <= tolerance
    )


def equal(name: str, value: int, wanted: int, unit: str = "") -> Figure:
    """A count that must be exact."""
    return Figure(name, value, unit, f"= {wanted:,}", value == wanted)


def info(name: str, value: float, unit: str = "") -> Figure:
    """A figure without a target."""
    return Figure(name, value, unit, "", None)


def run_command(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, nice: int = 0
) -> Measured:
    """Run a command and measure it.

    The kernel counts the memory of this process as the child's until the child has started its
    own program, so a benchmark imports no large library before it measures.

    Args:
        command: Program and arguments.
        environment: Variables on top of this process's own.
        log: File for stderr.
        nice: Added to the niceness.

    Raises:
        SystemExit: The command failed; the end of its stderr is shown.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    printed = log.with_suffix(".stdout")
    begin = ["nice", "-n", str(nice)] if nice else []
    with log.open("wb") as errors, printed.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*begin, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **environment},
            cwd=ROOT,
        )
        memory = _TreeMemory(process.pid)
        with memory:
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        shown = " ".join(command[-6:])
        raise SystemExit("\n".join([f"failed ({process.returncode}): {shown}", *tail]))
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Measured(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        process_mib=usage.ru_maxrss / unit,
        tree_mib=memory.peak_mib,
        tree_without_forecaster_mib=memory.peak_without_forecaster_mib,
        stdout=printed.read_text(encoding="utf-8"),
    )


class _TreeMemory(threading.Thread):
    """Samples the RSS of a process and its descendants from /proc; zero where there is none."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.peak_mib = 0.0
        self.peak_without_forecaster_mib = 0.0

    def __enter__(self) -> _TreeMemory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            own, forecaster = _tree_mib(self._pid)
            self.peak_mib = max(self.peak_mib, own + forecaster)
            self.peak_without_forecaster_mib = max(self.peak_without_forecaster_mib, own)


def _tree_mib(root: int) -> tuple[float, float]:
    """RSS of a process tree in MiB: all but the DeepAR program, and the DeepAR program."""
    sums = {False: 0.0, True: 0.0}
    waiting = [(root, False)]
    while waiting:
        pid, in_forecaster = waiting.pop()
        folder = Path(f"/proc/{pid}")
        try:
            in_forecaster |= FORECASTER_MODULE in (folder / "cmdline").read_bytes().split(b"\0")
            pages = int((folder / "statm").read_text().split()[1])
            for children in folder.glob("task/*/children"):
                waiting += [(int(child), in_forecaster) for child in children.read_text().split()]
        except (OSError, IndexError, ValueError):
            # The process ended between two looks.
            continue
        sums[in_forecaster] += pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return sums[False], sums[True]


@dataclass(frozen=True)
class Bench:
    """A home of the product in a scratch folder, with the limits that it works under."""

    folder: Path
    home: Path
    nice: int
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """Variables of the commands that work on this home."""
        return {**self.variables, "SALESCAST_HOME": str(self.home)}

    def salescast(self, *arguments: str | Path) -> Measured:
        """Run a command of the product on this home."""
        return self.python("-m", "salescast", *arguments)

    def python(self, *arguments: str | Path) -> Measured:
        """Run this interpreter on this home."""
        return run_command(
            [sys.executable, *(str(argument) for argument in arguments)],
            environment=self.environment(),
            log=self.folder / "command.log",
            nice=self.nice,
        )

    def newest_batch(self) -> dict[str, Any]:
        """The record of the newest batch of this home."""
        record = max((self.home / "batches").glob("*/batch.json"))
        return read_json(record)

    def dbt_results(self) -> dict[str, Any]:
        """The results of the last dbt invocation on this home."""
        return read_json(self.home / "dbt" / "target" / "run_results.json")

    def slowest_nodes(self, count: int = 5) -> list[dict[str, Any]]:
        """The nodes that took longest in the last dbt invocation."""
        results = sorted(
            self.dbt_results()["results"], key=lambda result: -float(result["execution_time"])
        )
        return [
            {
                "node": ".".join(result["unique_id"].split(".")[2:3]),
                "seconds": round(float(result["execution_time"]), 2),
            }
            for result in results[:count]
        ]


@contextmanager
def open_bench(
    work: Path | None, *, nice: int = 0, variables: Mapping[str, str] | None = None
) -> Iterator[Bench]:
    """A fresh home in a new folder, removed afterwards unless `work` says where to keep it."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="salescast-bench-", dir=work))
    try:
        yield Bench(folder, folder / "home", nice, dict(variables or {}))
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}", file=sys.stderr)


def project_with_models(folder: Path, models: str) -> Path:
    """A copy of the dbt project whose `models.toml` is the given text."""
    project = folder / "project"
    project.mkdir(parents=True)
    for name in _PRODUCT_PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name)
        else:
            shutil.copy2(source, project / name)
    (project / "models.toml").write_text(models, encoding="utf-8")
    return project


def walmart_folder() -> Path:
    """The folder of the Walmart files; ends the script with status 2 if it is not there."""
    folder = Path(
        os.environ.get("SALESCAST_WALMART_DIR", ROOT.parent / "shared" / "data" / "walmart")
    )
    if any(folder.glob("train.csv*")):
        return folder.resolve()
    print(
        f"Error: the Walmart data is not there.\n  where: {folder}\n  fix: put train.csv, "
        "features.csv and stores.csv of the Kaggle competition "
        '"Walmart Recruiting - Store Sales Forecasting" in a folder and name it in '
        "SALESCAST_WALMART_DIR.",
        file=sys.stderr,
    )
    raise SystemExit(2)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def machine() -> dict[str, Any]:
    """The machine as far as it decides a figure."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "architecture": platform.machine(),
        "system": platform.system(),
        "load_1_minute": round(os.getloadavg()[0], 1),
    }


def finish(name: str, figures: Sequence[Figure], **detail: Any) -> int:
    """Print the figures, write `results/<name>.json`; returns the exit status.

    Args:
        name: Name of the benchmark.
        figures: What was measured.
        **detail: Further facts for the result file; no paths of this machine.

    Returns:
        1 if a figure misses its target, else 0.
    """
    now = datetime.now(UTC)
    facts = machine()
    print(f"\n{name}, {now.date()}")
    print(
        f"{facts['cores']} cores, {facts['memory_gib']} GiB, {facts['system']} "
        f"{facts['architecture']}, load {facts['load_1_minute']}\n"
    )
    rows = [
        (
            figure.name,
            f"{_number(figure.value)} {figure.unit}".strip(),
            f"{figure.target} {figure.unit}".strip() if figure.target else "",
            {True: "pass", False: "FAIL", None: ""}[figure.passed],
        )
        for figure in figures
    ]
    header = ("figure", "measured", "target", "")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    for row in (header, tuple("-" * width for width in widths), *rows):
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
    versions = {
        package: metadata.version(package)
        for package in ("duckdb", "dbt-core", "torch", "pandas")
        if _is_installed(package)
    }
    result = {
        "benchmark": name,
        "measured_at": now.isoformat(timespec="seconds"),
        "machine": facts,
        "versions": {"python": platform.python_version(), **versions},
        "figures": [asdict(figure) for figure in figures],
        "detail": detail,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path.relative_to(ROOT)}")
    return int(any(figure.passed is False for figure in figures))


def _number(value: float) -> str:
    if isinstance(value, int) or (value == int(value) and abs(value) >= 100):
        return f"{int(value):,}"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
