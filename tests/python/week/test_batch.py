"""The batch record: atomic, idempotent, and landed as rows of run_steps."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from salescast import __version__
from salescast.errors import RunError, UserError
from salescast.forecaster import JobUsage
from salescast.lake import Lake
from salescast.week.batch import (
    Batch,
    BatchRecord,
    RunRecord,
    code_version,
    find_folder,
    new_batch_id,
    newest_folder,
    read_record,
    run_id_of,
)

RUN = RunRecord(
    run_id="b1-1-deepar",
    model_id="deepar",
    recipe="deepar",
    kind="forecast",
    cutoff_date=date(2026, 10, 31),
    prediction_length=4,
)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    record = BatchRecord(
        batch_id="b1",
        command="run",
        arguments={},
        created_at=datetime.now(UTC),
        requests=[],
        prediction_length=4,
        models=["deepar"],
        runs=[RUN],
    )
    made = Batch(record, tmp_path / "batches" / "b1", Lake(tmp_path / "lake"))
    made.save()
    return made


def again(batch: Batch, tmp_path: Path) -> Batch:
    return Batch(read_record(batch.folder), batch.folder, Lake(tmp_path / "lake"))


def test_a_finished_step_is_not_done_again_by_a_later_process(batch: Batch, tmp_path: Path) -> None:
    done: list[int] = []

    def export(number: int) -> str:
        done.append(number)
        return "3 series"

    batch.do("export", partial(export, 1), RUN)
    later = again(batch, tmp_path)
    later.do("export", partial(export, 2), RUN)
    assert done == [1]
    assert later.is_done("export", RUN)
    assert not later.is_done("export")
    assert later.record.attempts[0].detail == "3 series"


def test_a_failed_step_is_told_and_done_again(batch: Batch, tmp_path: Path) -> None:
    def fail() -> str:
        raise RunError("no room")

    with pytest.raises(RunError):
        batch.do("train", fail, RUN)
    later = again(batch, tmp_path)
    later.do("train", lambda: "kept", RUN)
    rows = Lake(tmp_path / "lake").read("run_steps").to_pylist()
    assert [(row["step"], row["status"], row["detail"]) for row in rows] == [
        ("train", "failed", "no room"),
        ("train", "done", "kept"),
    ]
    assert {row["run_id"] for row in rows} == {"b1-1-deepar"}
    assert {row["batch_id"] for row in rows} == {"b1"}


def test_rows_that_a_kill_kept_from_the_lake_are_landed_once(batch: Batch, tmp_path: Path) -> None:
    batch.do("build", lambda: "")
    batch.do("publish", lambda: "")
    lake = Lake(tmp_path / "lake")
    lake.files("run_steps")[1].unlink()
    again(batch, tmp_path).land_steps()
    again(batch, tmp_path).land_steps()
    assert sorted(lake.read("run_steps")["step"].to_pylist()) == ["build", "publish"]


def test_a_kill_leaves_no_trace_of_the_step(batch: Batch, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die() -> str:
        raise Killed

    with pytest.raises(Killed):
        batch.do("build", die)
    later = again(batch, tmp_path)
    assert later.record.attempts == []
    assert not later.is_done("build")


def test_a_forgotten_step_is_done_again(batch: Batch, tmp_path: Path) -> None:
    batch.do("build", lambda: "first")
    batch.forget("build")
    later = again(batch, tmp_path)
    later.do("build", lambda: "second")
    assert [attempt.detail for attempt in later.record.attempts] == ["first", "second"]


def test_vintages_are_not_asked_for(batch: Batch) -> None:
    newest = RUN.cutoff_date
    runs = [
        RUN.model_copy(update={"cutoff_date": newest - timedelta(weeks=weeks)})
        for weeks in (0, 4, 8, 13)
    ]
    record = batch.record.model_copy(
        update={"runs": runs, "learned_from": {4: ["deepar"], 8: ["deepar"]}}
    )
    assert record.asked_cutoffs() == [newest - timedelta(weeks=13), newest]
    assert record.model_copy(update={"runs": []}).asked_cutoffs() == []


def test_a_step_costs_what_all_its_jobs_cost(batch: Batch, tmp_path: Path) -> None:
    first = JobUsage("b1-train-1", "ml.m5.xlarge", 1, 70.0, 60.0, 0.5)
    second = JobUsage("b1-train-2", "ml.m5.xlarge", 2, 50.0, 40.0, 0.25)
    unknown = JobUsage("b1-predict-1", "ml.z9.xlarge", 1, 50.0, 40.0)
    batch.do("train", lambda: "kept", RUN, used=lambda: [first, second])
    batch.do("predict", lambda: "by it", RUN, used=lambda: [first, second, unknown])
    train, predict = Lake(tmp_path / "lake").read("run_steps").to_pylist()
    assert (train["billable_seconds"], train["cost_usd"]) == (60.0 + 2 * 40.0, 0.75)
    assert "60 s billed, about $0.5000" in train["detail"]
    assert (predict["billable_seconds"], predict["cost_usd"]) == (40.0, None)
    assert "$" not in predict["detail"]


def test_ids_have_their_shape() -> None:
    assert re.fullmatch(r"[0-9]{8}t[0-9]{6}-[0-9a-f]{4}", new_batch_id())
    run_id = run_id_of(new_batch_id(), 12, "a_very_long_name_of_a_model_xx")
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", run_id)
    assert not run_id.endswith("-")
    assert "-12-a-very" in run_id


def test_batches_are_found_by_name_and_age(batch: Batch, tmp_path: Path) -> None:
    batches = tmp_path / "batches"
    assert newest_folder(batches).name == "b1"
    assert find_folder(batches, "b1") == batch.folder
    with pytest.raises(UserError, match="no batch b2") as caught:
        find_folder(batches, "b2")
    assert "b1" in str(caught.value)
    with pytest.raises(UserError, match="no batch"):
        find_folder(batches, "../batches/b1")
    with pytest.raises(UserError, match="no batch in this home"):
        newest_folder(tmp_path / "empty")


def test_the_commit_of_a_repository_around_the_project_is_not_its_version(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: salescast\n", encoding="utf-8")
    for arguments in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    assert code_version(tmp_path) == __version__
    subprocess.run(["git", "-C", str(tmp_path), "add", "dbt_project.yml"], check=True)
    assert code_version(tmp_path).startswith(f"{__version__}+")
