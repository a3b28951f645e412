"""The commands as plain functions: called again and again in one process, without a terminal."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from salescast import commands
from salescast.errors import RunError, UserError
from salescast.ingest import IngestResult
from salescast.lake import open_lake
from salescast.lake.lock import hold_lock
from salescast.settings import Settings, load_settings
from salescast.simulate import simulate
from salescast.week.plan import Asked

pytestmark = pytest.mark.dbt

NAIVE = Asked("run", horizon=4, model_names=["snaive_52"], backtests=1)

Write = Callable[[Settings, bool], object]
WRITES: dict[str, Write] = {
    "salescast ingest data": lambda s, take: commands.ingest(s, Path("data"), take_lock=take),
    "salescast ingest --retract a": lambda s, take: commands.retract(s, "a", take_lock=take),
    "salescast run": lambda s, take: commands.start(s, NAIVE, take_lock=take),
    "salescast load": lambda s, take: commands.step(s, "load", take_lock=take),
    "salescast build": lambda s, take: commands.build(s, take_lock=take),
    "salescast champion set deepar": lambda s, take: commands.set_champion(
        s, "deepar", reason="best", take_lock=take
    ),
    "salescast champion rollback": lambda s, take: commands.roll_back_champion(s, take_lock=take),
    "salescast prune --older-than 3": lambda s, take: commands.prune(s, 3, take_lock=take),
}


class Recorder:
    """Keeps what it is told; interrupts the command at a word."""

    def __init__(self, interrupt_at: str | None = None, answer: bool = False) -> None:
        self.said: list[str] = []
        self.updates: list[str] = []
        self.questions: list[str] = []
        self._interrupt_at = interrupt_at
        self._answer = answer

    def say(self, text: str) -> None:
        self.said.append(text)
        if self._interrupt_at is not None and text.startswith(self._interrupt_at):
            raise KeyboardInterrupt

    def update(self, text: str) -> None:
        self.updates.append(text)

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self._answer


def settings_of(home: Path) -> Settings:
    return load_settings(home=home, threads=2, memory_limit="1GB")


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return settings_of(tmp_path / "home")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, IngestResult]:
    """A home with a shop of two series."""
    folder = tmp_path_factory.mktemp("commands")
    settings = settings_of(folder / "home")
    simulate(folder / "data", stores=1, departments=2, weeks=120)
    return settings, commands.ingest(settings, folder / "data", "demo")


@pytest.fixture(scope="module")
def finished(
    landed: tuple[Settings, IngestResult],
) -> tuple[Settings, commands.BatchResult, Recorder]:
    """The same home after a week."""
    progress = Recorder()
    return landed[0], commands.start(landed[0], NAIVE, progress=progress), progress


def test_landing_returns_the_loads(landed: tuple[Settings, IngestResult]) -> None:
    settings, result = landed
    sales = next(load for load in result.loads if load.table_name == "raw_sales")
    assert sales.n_rows > 120 * 2
    assert sales.load_id in open_lake(settings).read("raw_loads")["load_id"].to_pylist()


def test_a_start_returns_the_batch_and_its_accuracy(
    finished: tuple[Settings, commands.BatchResult, Recorder],
) -> None:
    settings, result, progress = finished
    assert result.carried_out
    assert result.record.status == "done"
    assert [run.kind for run in result.record.runs] == ["backtest", "forecast"]
    (row,) = result.accuracy
    assert (row.model_id, row.kind) == ("snaive_52", "backtest")
    assert row.wape is not None
    assert settings.marts_file.is_file()
    assert progress.said[0] == f"batch {result.record.batch_id}"
    assert any("nodes" in text for text in progress.updates)
    assert progress.questions == []


def test_a_finished_batch_is_left_alone(
    finished: tuple[Settings, commands.BatchResult, Recorder],
) -> None:
    settings, result, _ = finished
    with hold_lock(settings.home, "salescast run"):
        for batch_id in (None, result.record.batch_id):
            again = commands.resume(settings, batch_id)
            assert not again.carried_out
            assert again.record == result.record
    with pytest.raises(UserError, match="no batch nope"):
        commands.resume(settings, "nope")


def test_a_batch_goes_on_in_the_same_process(
    finished: tuple[Settings, commands.BatchResult, Recorder], capfd: pytest.CaptureFixture[str]
) -> None:
    settings, earlier, _ = finished
    with pytest.raises(KeyboardInterrupt):
        commands.start(settings, NAIVE, progress=Recorder(interrupt_at="resolve"))
    stopped, before = commands.status(settings).batches
    assert before.record == earlier.record
    assert [each.next_step for each in before.runs] == [None, None]
    assert stopped.record.status == "unfinished"
    assert [each.next_step for each in stopped.runs] == ["export", "export"]
    assert commands.status(settings, 1).batches == [stopped]

    done = commands.step(settings, "export").done
    assert [attempt.step for attempt in done] == ["export", "export"]
    assert commands.step(settings, "export", stopped.record.batch_id).done == []
    # The finished batch is not the newest one, so it must be named.
    assert commands.step(settings, "load", earlier.record.batch_id).done == []

    result = commands.resume(settings, stopped.record.batch_id)
    assert result.carried_out
    assert result.record.batch_id == stopped.record.batch_id
    assert result.record.status == "done"
    assert [each.record.status for each in commands.status(settings).batches] == ["done", "done"]
    assert capfd.readouterr() == ("", "")


def test_a_report_is_written_where_it_is_asked_for(
    finished: tuple[Settings, commands.BatchResult, Recorder], tmp_path: Path
) -> None:
    settings = finished[0]
    assert commands.report(settings, tmp_path / "r.html") == tmp_path / "r.html"
    assert "snaive_52" in (tmp_path / "r.html").read_text()


def test_an_estimate_needs_no_lock(landed: tuple[Settings, IngestResult]) -> None:
    settings = landed[0]
    with hold_lock(settings.home, "salescast run"):
        found = commands.estimate(settings, NAIVE)
    assert (found.n_runs, found.jobs) == (2, [])


def test_a_champion_is_chosen_and_taken_back(empty: Settings) -> None:
    chosen = commands.set_champion(empty, "snaive_52", reason="simple")
    assert commands.champion(empty) == chosen
    assert commands.roll_back_champion(empty, reason="late").model_id == "blend"
    history = commands.champion_history(empty)
    assert [choice.action for choice in history] == ["rollback", "set"]


def test_a_command_without_a_batch_or_marts_says_so(empty: Settings) -> None:
    assert commands.status(empty).batches == []
    for call in (lambda: commands.resume(empty), lambda: commands.step(empty, "train")):
        with pytest.raises(UserError, match="no batch in this home"):
            call()
    with pytest.raises(UserError, match="no published marts"):
        commands.report(empty)
    assert commands.prune(empty, 0) == []


@pytest.mark.parametrize("command", WRITES)
def test_what_writes_is_refused_while_another_command_is_at_work(
    empty: Settings, command: str
) -> None:
    with (
        hold_lock(empty.home, "salescast demo"),
        pytest.raises(RunError, match="at work in this home: salescast demo"),
    ):
        WRITES[command](empty, False)
    assert commands.champion(empty).model_id == "blend"
    assert commands.prune(empty, 3, dry_run=True) == []


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("take", [False, True])
def test_a_lock_is_taken_only_when_asked(
    empty: Settings, monkeypatch: pytest.MonkeyPatch, command: str, take: bool
) -> None:
    @contextmanager
    def hold(
        _: Settings, holder: str, *, take: bool = False, frees_room: bool = False
    ) -> Iterator[None]:
        raise RunError(f"{holder} {take}")
        yield

    monkeypatch.setattr("salescast.lake.lock.hold_locks", hold)
    with pytest.raises(RunError) as caught:
        WRITES[command](empty, take)
    assert caught.value.what == f"{command} {take}"


@pytest.mark.parametrize(
    ("stop_jobs", "answer", "stops"),
    [(True, False, True), (False, True, False), (None, True, True), (None, False, False)],
)
def test_a_job_stops_as_told_or_else_as_answered(
    landed: tuple[Settings, IngestResult],
    monkeypatch: pytest.MonkeyPatch,
    stop_jobs: bool | None,
    answer: bool,
    stops: bool,
) -> None:
    found = []

    def interrupted(_: Settings, __: object, stop_job: Callable[[str], bool]) -> None:
        found.append(stop_job("a-job"))
        raise KeyboardInterrupt

    monkeypatch.setattr("salescast.week.run.open_forecaster", interrupted)
    settings = landed[0].model_copy(update={"home": landed[0].home.parent / "interrupted"})
    settings = settings.model_copy(update={"lake_place": str(landed[0].lake)})
    progress = Recorder(answer=answer)
    calls: list[Callable[[], object]] = [
        lambda: commands.start(settings, NAIVE, stop_jobs=stop_jobs, progress=progress),
        lambda: commands.resume(settings, stop_jobs=stop_jobs, progress=progress),
        lambda: commands.step(settings, "train", stop_jobs=stop_jobs, progress=progress),
    ]
    for call in calls:
        with pytest.raises(KeyboardInterrupt):
            call()
    assert found == [stops] * 3
    assert progress.questions == ([] if stop_jobs is not None else ["Stop the job a-job too?"] * 3)


def test_nothing_of_a_terminal_is_imported() -> None:
    tree = ast.parse(Path(commands.__file__).read_text(encoding="utf-8"))
    named = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("salescast")
    }
    assert {"salescast.simulate", "salescast.report", "salescast.lake.lock"} <= named
    code = f"import sys, salescast.commands, {', '.join(sorted(named))}; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"click", "rich", "salescast.cli", "salescast.console"} & set(modules)


def test_a_demo_of_an_unknown_model_lands_nothing(empty: Settings) -> None:
    with pytest.raises(UserError, match="There is no model nope"):
        commands.demo(empty, "nope")
    assert not empty.home.exists()


def test_a_check_of_files_without_sales_tells_what_they_hold(
    empty: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sales.csv").write_text("store,department,date,sales\n1,a,2026-01-01,5\n")
    commands.ingest(empty, folder)
    (folder / "stores.csv").write_text("store,type\n1,big\n")
    progress = Recorder()
    checked = commands.check(empty, folder / "stores.csv", progress=progress)
    assert [each.table_name for each in checked.result.figures] == ["raw_stores"]
    assert (checked.statuses, checked.months, checked.problem) == ((), (), None)
    assert "there are no sales among the files: a build judges their rows" in progress.said
    assert open_lake(empty).names("raw_stores") == []
