"""The process that `up` starts, with the DeepAR program: trained once, forecast, killed."""

from __future__ import annotations

import json
import math
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local_aws.stack import running_stack

from .sagemaker_server import BUILT_IN, OWN, Served, channel, served_by, wait_until

HORIZON = 3
SETTINGS = {
    "time_freq": "W",
    "prediction_length": str(HORIZON),
    "context_length": "6",
    "epochs": "1",
    "num_cells": "4",
    "num_layers": "1",
    "num_eval_samples": "5",
}


def series(n: int, weeks: int, **more: Any) -> list[dict[str, Any]]:
    """Lines of DeepAR's format; more members are added to each."""
    return [
        {
            "start": "2024-01-07 00:00:00",
            "target": [round(10 * k + 5 * math.sin(week / 3), 2) for week in range(weeks)],
            **{name: f"{name}-{k}" for name in more},
        }
        for k in range(1, n + 1)
    ]


def training(real: Served, name: str, **changes: Any) -> dict[str, Any]:
    """A job of a few dozen series."""
    real.put(f"{name}/train/part-0000.json", *series(24, 30))
    test = real.put(f"{name}/test/part-0000.json", *series(24, 33))
    request = real.training(
        HyperParameters=SETTINGS,
        AlgorithmSpecification={"TrainingImage": BUILT_IN, "TrainingInputMode": "File"},
    )
    request["InputDataConfig"] = [
        channel("train", f"s3://{real.bucket}/{name}/train/"),
        channel("test", test),
    ]
    return request | {"TrainingJobName": name} | changes


@pytest.fixture(scope="session")
def job(real: Served) -> dict[str, Any]:
    """The built-in image, trained."""
    real.sagemaker.create_training_job(**training(real, "deepar"))
    return real.trained("deepar")


def test_training(real: Served, job: dict[str, Any]) -> None:
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert {"train:loss", "train:final_loss", "test:RMSE", "test:mean_wQuantileLoss"} <= set(
        metrics
    )
    assert metrics["train:progress"] == 100
    log = real.log_of("TrainingJobs", "deepar")
    assert "number of time series: 24" in log
    assert any("epoch=0, train loss" in line for line in log)


def test_transform(real: Served, job: dict[str, Any]) -> None:
    config = {"num_samples": 7, "output_types": ["mean", "quantiles"], "quantiles": ["0.1", "0.9"]}
    lines = series(5, 30, item_id=True)[::-1]
    uri = real.put("forecast/in/input.json", *lines)
    model = real.model(job["ModelArtifacts"]["S3ModelArtifacts"], image=BUILT_IN)
    found = real.transform(model, uri, Environment={"DEEPAR_INFERENCE_CONFIG": json.dumps(config)})
    assert found["TransformJobStatus"] == "Completed", found.get("FailureReason")
    output = real.outputs(found)["input.json.out"]
    assert [line["item_id"] for line in output] == [line["item_id"] for line in lines]
    for line in output:
        assert set(line) == {"item_id", "SageMakerOutput"}
        assert len(line["SageMakerOutput"]["mean"]) == HORIZON
        assert set(line["SageMakerOutput"]["quantiles"]) == {"0.1", "0.9"}
    assert real.log_of("TransformJobs", found["TransformJobName"])


def programs_below(folder: Path) -> list[int]:
    """Processes that work on a tree in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        # Other users' processes, and those that end while they are looked at.
        with suppress(OSError):
            if f"SAGEMAKER_BASE_DIR={folder}".encode() in (each / "environ").read_bytes():
                found.append(int(each.name))
    return found


# With two networks the program starts processes of its own, and one that looks after them; those
# of a killed program end by themselves, which takes them an epoch.
@pytest.mark.parametrize(("ending", "networks", "processes"), [("down", "2", 4), ("kill", "1", 1)])
def test_no_program_outlives_the_server(
    tmp_path: Path, ending: str, networks: str, processes: int
) -> None:
    with running_stack(tmp_path / "aws", services=("sagemaker",)) as stack:
        assert set(stack.processes) == {"ministack", "sagemaker"}
        assert "AWS_ENDPOINT_URL_ATHENA" not in stack.environment
        served = served_by(stack)
        settings = SETTINGS | {"epochs": "100000", "ensemble_size": networks}
        algorithm = {"TrainingImage": OWN, "TrainingInputMode": "File"}
        request = training(
            served, "long", HyperParameters=settings, AlgorithmSpecification=algorithm
        )
        served.sagemaker.create_training_job(**request)
        wait_until(lambda: len(programs_below(stack.home)) >= processes, "the program")
        if ending == "kill":
            os.kill(stack.processes["sagemaker"].pid, signal.SIGKILL)
            wait_until(lambda: programs_below(stack.home) == [], "the end of the program")
            assert not stack.runs
    # Killed ones need a moment to be gone.
    wait_until(lambda: programs_below(tmp_path) == [], "the end of the program", seconds=5)
    assert [path.name for path in (tmp_path / "aws").iterdir() if path.name != "lock"] == ["logs"]
