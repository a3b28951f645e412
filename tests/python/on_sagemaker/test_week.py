"""The week on the local SageMaker gives the rows that it gives on this machine."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from local_aws.stack import Stack
from salescast.week.output_check import write_manifest
from support.cloud import HORIZON, SERIES, CloudHome, client, fork, jobs_of, of_stack


@pytest.fixture(scope="module")
def remote(
    stack: Stack, exported: CloudHome, tmp_path_factory: pytest.TempPathFactory
) -> CloudHome:
    """The batch on SageMaker, its records in another order and in three parts."""
    home = fork(exported, tmp_path_factory.mktemp("remote") / "home", of_stack(stack, "week", 3))
    files = home.files_of("tiny")
    inference = files.inference
    lines = inference.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    inference.write_text("".join(lines), encoding="utf-8")
    write_manifest(inference, files.inference_items, config={})
    for step in ("train", "predict", "load"):
        home.command(step)
    return home


def test_the_rows_are_those_of_this_machine(local: CloudHome, remote: CloudHome) -> None:
    rows = remote.forecasts()
    assert len(rows) == 2 * len(SERIES) * HORIZON
    assert rows == local.forecasts()


def test_one_job_a_step_and_its_input_in_parts(stack: Stack, remote: CloudHome) -> None:
    run_id = remote.run_of("tiny").run_id
    assert jobs_of(stack, remote.batch.batch_id) == {
        f"{run_id}-train-1": "Completed",
        f"{run_id}-predict-1": "Completed",
    }
    keys = [
        each["Key"].removeprefix(f"week/staging/{run_id}/")
        for each in client(stack, "s3").list_objects_v2(
            Bucket=stack.bucket, Prefix=f"week/staging/{run_id}/"
        )["Contents"]
    ]
    assert sorted(keys) == [
        "model/model.tar.gz",
        f"models/{run_id}-train-1/output/model.tar.gz",
        "train/train.json.gz",
        *(f"transform/input/part-000{n}.json" for n in range(3)),
        *(f"transform/output/1/part-000{n}.json.out" for n in range(3)),
    ]


def test_what_the_jobs_took_is_told(remote: CloudHome) -> None:
    run_id = remote.run_of("tiny").run_id
    steps = {
        row[0]: row[1:]
        for row in remote.landed(
            "run_steps",
            "step, job_name, instance_type, instance_count, billable_seconds, detail",
        )
        if row[1] is not None
    }
    assert set(steps) == {"train", "predict"}
    name, machine, n_machines, seconds, detail = steps["train"]
    assert (name, machine, n_machines) == (f"{run_id}-train-1", "ml.c5.2xlarge", 1)
    assert seconds > 0
    assert f"{run_id}-train-1 on 1 ml.c5.2xlarge" in detail
    assert steps["predict"][:3] == (f"{run_id}-predict-1", "ml.m5.xlarge", 3)


def test_the_model_is_kept_with_its_image(remote: CloudHome) -> None:
    run_id = remote.run_of("tiny").run_id
    kept = remote.path / "lake" / "trained_models" / run_id / "trained_model.json"
    assert json.loads(kept.read_text())["program"].endswith("amazonaws.com/salescast:1")


def test_a_model_of_this_machine_forecasts_there_and_not_in_the_built_in_image(
    stack: Stack, trained: CloudHome, local: CloudHome, tmp_path: Path
) -> None:
    variables = of_stack(stack, "reuse")
    there = fork(trained, tmp_path / "home", variables)
    of_aws = {k: v for k, v in variables.items() if not k.endswith("_IMAGE")}
    refused = CloudHome(there.path, there.project, of_aws).command("predict", code=2)
    assert "cannot read" in refused
    assert "SALESCAST_SAGEMAKER_IMAGE" in refused
    there.command("predict")
    there.command("load")
    assert there.forecasts() == local.forecasts()
