"""The local forecaster: the container's tree, its progress, its failures; and the real program."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from salescast.errors import RunError, UserError
from salescast.forecaster import TrainingJob, TransformJob
from salescast.forecaster.local import LocalForecaster
from salescast.quantiles import QUANTILES

pytestmark = pytest.mark.torch

PROGRAM = """
import json, os, sys
from pathlib import Path
root = Path(os.environ["SAGEMAKER_BASE_DIR"])
if (root / "input" / "config").is_dir():
    settings = json.loads((root / "input/config/hyperparameters.json").read_text())
    if settings.get("fail"):
        (root / "output" / "failure").write_text("ClientError: " + settings["fail"])
        sys.exit(1)
    if settings.get("crash"):
        print("some line"); print("Boom: the last line"); sys.exit(3)
    print("#quality_metric: host=algo-1, epoch=0, train loss <loss>=4.5")
    print("#quality_metric: host=algo-1, epoch=1, train loss <loss>=3.25", flush=True)
    [file] = (root / "input/data/train").iterdir()
    (root / "model" / "weights.txt").write_text(file.name + " " + os.environ["DEEPAR_NUM_THREADS"])
else:
    options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    config = json.loads(os.environ["DEEPAR_INFERENCE_CONFIG"])
    print("transform: 1/2 series", flush=True)
    answer = {
        "command": sys.argv[1],
        "join": options["--join"],
        "model": (root / "model" / "weights.txt").read_text(),
        "config": config,
        "records": len(Path(options["--input"]).read_text().splitlines()),
    }
    Path(options["--output"]).write_text(json.dumps(answer))
"""


@pytest.fixture
def forecaster(tmp_path: Path) -> tuple[LocalForecaster, list[str]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    told: list[str] = []
    made = LocalForecaster(threads=1, progress=told.append, command=(sys.executable, str(program)))
    return made, told


def training_job(folder: Path, **hyperparameters: str) -> TrainingJob:
    train_file = folder / "train" / "train.json.gz"
    train_file.parent.mkdir(parents=True)
    with gzip.open(train_file, "wt") as file:
        file.write("{}\n")
    return TrainingJob(
        "deepar at 2026-10-31",
        str(train_file.parent),
        {"epochs": "2", **hyperparameters},
        folder,
        "r1",
    )


def test_a_job_trains_and_forecasts_in_a_containers_tree(
    forecaster: tuple[LocalForecaster, list[str]], tmp_path: Path
) -> None:
    local, told = forecaster
    work = tmp_path / "work"
    artifact = local.train(training_job(work))
    assert artifact == work / "model.tar.gz"
    assert "deepar at 2026-10-31: epoch 2/2, loss 3.25" in told
    assert "epoch=1" in (work / "train.log").read_text()

    records = work / "inference.json"
    records.write_text("{}\n{}\n")
    output = local.transform(
        TransformJob(
            "deepar", artifact, records, work / "output" / "inference.json.out", work, "r1"
        )
    )
    answer = json.loads(output.read_text())
    assert answer["command"] == "transform"
    assert answer["join"] == "item_id"
    assert answer["model"] == "train.json.gz 1"
    assert answer["records"] == 2
    assert answer["config"]["quantiles"] == list(QUANTILES)
    assert answer["config"]["output_types"] == ["mean", "quantiles"]
    assert "deepar: 1/2 series" in told
    assert not list(work.glob("ml_*"))


def test_a_failure_file_becomes_the_error(
    forecaster: tuple[LocalForecaster, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="ClientError: cat has gaps") as caught:
        forecaster[0].train(training_job(tmp_path / "work", fail="cat has gaps"))
    assert "train.log" in str(caught.value)


def test_a_crash_without_a_failure_file_tells_the_last_line(
    forecaster: tuple[LocalForecaster, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"exit status 3.*Boom: the last line"):
        forecaster[0].train(training_job(tmp_path / "work", crash="yes"))


def test_a_second_try_begins_with_an_empty_tree(
    forecaster: tuple[LocalForecaster, list[str]], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    leftover = work / "ml_train" / "input" / "data" / "train" / "old.json"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("{}")
    assert forecaster[0].train(training_job(work)).is_file()


def test_a_broken_artifact_is_told(
    forecaster: tuple[LocalForecaster, list[str]], tmp_path: Path
) -> None:
    broken = tmp_path / "model.tar.gz"
    broken.write_bytes(b"no archive")
    job = TransformJob("deepar", broken, tmp_path / "in", tmp_path / "out", tmp_path / "work", "r1")
    with pytest.raises(RunError, match="damaged, or not a model"):
        forecaster[0].transform(job)


def test_missing_libraries_are_told_before_any_job(
    monkeypatch: pytest.MonkeyPatch, forecaster: tuple[LocalForecaster, list[str]]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs torch and gluonts") as caught:
        forecaster[0].check_ready(["torch", "gluonts"])
    assert "--model snaive_52" in str(caught.value)
    # A job that imports neither may start.
    forecaster[0].check_ready()


def test_the_real_program_answers_every_record(tmp_path: Path) -> None:
    work = tmp_path / "work"
    train_file = work / "train" / "train.json.gz"
    train_file.parent.mkdir(parents=True)
    records = [
        {
            "start": "2024-01-06 00:00:00",
            "target": [10.0 + series + week % 4 for week in range(60)],
            "cat": [series % 2],
        }
        for series in range(6)
    ]
    with gzip.open(train_file, "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    local = LocalForecaster(threads=1)
    hyperparameters = {
        "time_freq": "W",
        "prediction_length": "3",
        "context_length": "8",
        "epochs": "1",
        "num_cells": "4",
        "num_layers": "1",
        "num_batches_per_epoch": "1",
    }
    artifact = local.train(
        TrainingJob("deepar", str(train_file.parent), hyperparameters, work, "r1")
    )
    inference = work / "inference.json"
    inference.write_text(
        "".join(
            json.dumps({"item_id": f"1:{n}", **record}) + "\n" for n, record in enumerate(records)
        )
    )
    output = local.transform(
        TransformJob(
            "deepar", artifact, inference, work / "output" / "inference.json.out", work, "r1"
        )
    )
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["item_id"] for line in lines] == [f"1:{n}" for n in range(6)]
    for line in lines:
        assert len(line["SageMakerOutput"]["mean"]) == 3
        assert set(line["SageMakerOutput"]["quantiles"]) == set(QUANTILES)
