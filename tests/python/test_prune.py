"""Prune: what finished, old batches left goes; all that landed or is unfinished stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from salescast.cli import cli
from salescast.forecaster.sagemaker.old_models import delete_model, find_models
from salescast.lake import Lake, open_lake, utc_naive
from salescast.lake.lock import hold_lock
from salescast.prune import find_old_batches, find_removals
from salescast.settings import load_settings
from salescast.week.batch import Batch, BatchRecord, RunRecord, StepRecord

NOW = datetime.now(UTC)
BUCKET = "a-bucket"
ROLE = "arn:aws:iam::123456789012:role/salescast"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/salescast:1"
OLD, NEW, UNFINISHED = "20260101t000000-aaaa", "20261101t000000-bbbb", "20260101t000000-cccc"


def run_id(batch_id: str) -> str:
    return f"{batch_id}-1-deepar"


def put_batch(
    home: Path, batch_id: str, days: int, status: Literal["done", "unfinished"] = "done"
) -> Batch:
    """A batch that ended some days ago, with the files that a run works with."""
    ended = NOW - timedelta(days=days)
    run = RunRecord(
        run_id=run_id(batch_id),
        model_id="deepar",
        recipe="deepar",
        kind="forecast",
        cutoff_date=date(2026, 10, 31),
        prediction_length=4,
    )
    record = BatchRecord(
        batch_id=batch_id,
        command="run",
        arguments={},
        created_at=ended,
        status=status,
        requests=[],
        prediction_length=4,
        models=["deepar"],
        runs=[run],
        attempts=[
            StepRecord(
                run_id=None,
                step="publish",
                status="done",
                started_at=ended,
                finished_at=ended,
                seconds=1.0,
                detail="",
            )
        ],
    )
    batch = Batch(record, home / "batches" / batch_id, Lake(home / "lake"))
    batch.save()
    for name in ("train/train.json.gz", "output/inference.json.out"):
        path = batch.work(run) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 10)
    return batch


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old, a new and an unfinished batch, beside a trained model that is kept."""
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    for batch_id, days in ((OLD, 100), (NEW, 1)):
        put_batch(tmp_path / "home", batch_id, days)
    put_batch(tmp_path / "home", UNFINISHED, 100, "unfinished")
    kept = tmp_path / "home" / "lake" / "trained_models" / run_id(OLD)
    kept.mkdir(parents=True)
    (kept / "model.tar.gz").write_bytes(b"model")
    return tmp_path / "home"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """SageMaker's models and staged files of each batch, and of strangers."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("SALESCAST_FORECASTER", "sagemaker")
    monkeypatch.setenv("SALESCAST_STAGING", f"s3://{BUCKET}/staging")
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        for batch_id in (OLD, NEW, UNFINISHED):
            for name in ("train/train.json.gz", "models/a/output/model.tar.gz", "transform/x.out"):
                put(f"staging/{run_id(batch_id)}/{name}")
            put_model(f"{run_id(batch_id)}-model-1", run_id(batch_id))
        put(f"staging/{run_id(OLD)}-more/train/train.json.gz")
        put("staging/readme.txt")
        put(f"lake/trained_models/{run_id(OLD)}/model.tar.gz")
        put_model(f"{run_id(OLD)}-model-2", "another-run")
        put_model(f"{run_id(OLD)}-model-x", run_id(OLD))
        put_model("a-model-of-others", "others")
        yield boto3.client("sagemaker", region_name="us-east-1")


def put(key: str) -> None:
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=BUCKET, Key=key, Body=b"x" * 10)


def put_model(name: str, tag: str) -> None:
    boto3.client("sagemaker", region_name="us-east-1").create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/m.tar.gz"},
        Tags=[{"Key": "salescast:run_id", "Value": tag}],
    )


def keys() -> set[str]:
    found = boto3.client("s3", region_name="us-east-1").list_objects_v2(Bucket=BUCKET)
    return {each["Key"] for each in found["Contents"]}


def models(sagemaker: Any) -> set[str]:
    return {each["ModelName"] for each in sagemaker.list_models()["Models"]}


def prune(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["prune", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_only_the_work_of_old_finished_batches_goes(home: Path) -> None:
    before = files_in(home)
    printed = prune("--older-than", "30")
    gone = before - files_in(home)
    assert gone == {
        f"batches/{OLD}/{run_id(OLD)}/train/train.json.gz",
        f"batches/{OLD}/{run_id(OLD)}/output/inference.json.out",
    }
    assert "2 files" in printed
    assert "1 removed" in printed
    assert "0 removed" in prune("--older-than", "30")
    assert json.loads(CliRunner().invoke(cli, ["status", "--json"]).output)["batches"]


def test_a_dry_run_tells_the_same_and_removes_nothing(home: Path) -> None:
    before = files_in(home)
    with hold_lock(home, "salescast run"):
        told = json.loads(prune("--older-than", "30", "--dry-run", "--json"))
    assert told["dry_run"] is True
    assert told["n_bytes"] == 20
    assert files_in(home) - before <= {"lock", "lock.json"}
    done = json.loads(prune("--older-than", "30", "--json"))
    assert done["removed"] == told["removed"]


def test_a_copy_of_a_batch_is_left_and_nothing_goes_on_its_word(home: Path) -> None:
    batches = home / "batches"
    shutil.copytree(batches / OLD, batches / f"{OLD}.bak")
    # An old copy of a batch that was resumed since: what it says does not hold any more.
    shutil.copytree(batches / OLD, batches / f"{NEW}.bak")
    record = batches / f"{NEW}.bak" / "batch.json"
    record.write_text(record.read_text().replace(OLD, NEW))
    before = files_in(home)
    printed = prune("--older-than", "30")
    assert {Path(name).parts[1] for name in before - files_in(home)} == {OLD}
    assert "1 removed" in printed


def test_it_waits_for_nobody_and_needs_a_rule(home: Path) -> None:
    with hold_lock(home, "salescast run"):
        assert "Another command is at work" in prune("--older-than", "30", code=1)
    assert "--older-than" in prune(code=2)
    prune("--older-than", "-1", code=2)
    assert len(files_in(home / "batches")) == 9


def test_sagemakers_models_and_staged_files_go_too(home: Path, aws: Any) -> None:
    keys_before, models_before = keys(), models(aws)
    told = json.loads(prune("--older-than", "30", "--dry-run", "--json"))
    assert (keys(), models(aws)) == (keys_before, models_before)
    done = json.loads(prune("--older-than", "30", "--json"))
    assert done["removed"] == told["removed"]
    assert models_before - models(aws) == {f"{run_id(OLD)}-model-1"}
    gone = keys_before - keys()
    assert {key.split("/")[1] for key in gone} == {run_id(OLD)}
    assert len(gone) == 3
    assert [each["kind"] for each in done["removed"]] == ["work folder", "model", "staging"]
    assert (home / "lake" / "trained_models" / run_id(OLD) / "model.tar.gz").exists()


def test_without_sagemaker_aws_is_asked_nothing(
    home: Path, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SALESCAST_FORECASTER")
    before = keys(), models(aws)
    prune("--older-than", "30")
    assert (keys(), models(aws)) == before


def test_on_athena_the_work_on_s3_goes_too(
    home: Path, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCAST_TARGET", "athena")
    monkeypatch.setenv("SALESCAST_LAKE", f"s3://{BUCKET}/lake")
    monkeypatch.delenv("SALESCAST_STAGING")
    for batch_id in (OLD, NEW, UNFINISHED):
        put(f"work/{batch_id}/{run_id(batch_id)}/train/part-00000.json.gz")
        put(f"work/{run_id(batch_id)}/transform/input/part-0.json")
    settings = load_settings()
    before = keys()
    for removal in find_removals(settings, open_lake(settings), 30):
        removal.remove()
    assert before - keys() == {
        f"work/{OLD}/{run_id(OLD)}/train/part-00000.json.gz",
        f"work/{run_id(OLD)}/transform/input/part-0.json",
    }


def test_many_models_are_found_on_all_pages(aws: Any) -> None:
    runs = [f"run-{n}" for n in range(130)]
    for name in runs:
        put_model(f"{name}-model-1", name)
    found = find_models(aws, set(runs))
    assert sorted(found) == sorted(f"{name}-model-1" for name in runs)
    delete_model(aws, found[0])
    delete_model(aws, found[0])
    assert len(find_models(aws, set(runs))) == 129


def test_finished_batches_of_other_homes_are_known_by_their_steps(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    def land(batch_id: str, step: str, days: int, status: str = "done") -> None:
        ended = utc_naive(NOW - timedelta(days=days))
        row = {"batch_id": batch_id, "step": step, "status": status, "detail": ""}
        row |= {"run_id": f"{batch_id}-1" if step == "load" else None}
        times = {"started_at": ended, "finished_at": ended, "seconds": 1.0}
        lake.append("run_steps", [{**row, **times}])

    for batch_id, publish_days, status in (
        ("old", 100, "done"),
        ("new", 1, "done"),
        ("failed", 100, "failed"),
    ):
        land(batch_id, "load", 100)
        land(batch_id, "publish", publish_days, status)
    land("stopped", "load", 100)
    (found,) = find_old_batches(tmp_path / "batches", lake, NOW - timedelta(days=30))
    assert (found.batch_id, found.run_ids, found.folder) == ("old", ("old-1",), None)
