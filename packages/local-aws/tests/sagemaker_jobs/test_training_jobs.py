"""Training jobs from their request to their end, with the stand-in as program."""

from __future__ import annotations

import io
import tarfile
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws.sagemaker.joblog import JobLog
from local_aws.sagemaker.jobs import Job, to_its_end

from .sagemaker_server import BUILT_IN, OWN, Served, channel, client, statuses, wait_until


def test_a_job_that_completes(quick: Served) -> None:
    quick.put("whole/test_channel/deep/er/part-1.json", {})
    request = quick.training(
        "whole",
        Environment={"NOTE": "hello"},
        Tags=[{"Key": "salescast:run_id", "Value": "r1"}],
        EnableNetworkIsolation=True,
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    )
    request["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "loss", "Regex": r"train loss <loss>=(\S+)"}
    ]
    # A prefix is plain text, with or without a slash.
    request["InputDataConfig"].append(channel("test", f"s3://{quick.bucket}/whole/test"))
    request["OutputDataConfig"]["KmsKeyId"] = "alias/sales"
    arn = quick.sagemaker.create_training_job(**request)["TrainingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:training-job/whole"
    job = quick.trained("whole")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert statuses(job) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    for before, after in zip(
        job["SecondaryStatusTransitions"], job["SecondaryStatusTransitions"][1:], strict=False
    ):
        assert before["EndTime"] == after["StartTime"]
    assert job["TrainingEndTime"] >= job["TrainingStartTime"] >= job["CreationTime"]
    assert job["TrainingTimeInSeconds"] >= job["BillableTimeInSeconds"] >= 0
    for name in ("VpcConfig", "EnableNetworkIsolation", "HyperParameters", "Environment"):
        assert job[name] == request[name]
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [
        ("loss", 8.0)
    ]
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == f"s3://{quick.bucket}/whole/models/whole/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(quick.read(artifact))) as archive:
        member = archive.extractfile("model.json")
        assert member is not None and member.read() == b"hello"
    head = quick.s3.head_object(Bucket=quick.bucket, Key=artifact.split("/", 3)[3])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/sales")
    assert quick.log_of("TrainingJobs", "whole") == [
        "files: test/test_channel/deep/er/part-1.json train/part-0.json",
        "begins at epoch 0",
        "#quality_metric: host=algo-1, epoch=0, train loss <loss>=9",
        "#quality_metric: host=algo-1, epoch=1, train loss <loss>=8",
    ]
    tags = quick.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "salescast:run_id", "Value": "r1"}]
    quick.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}])
    assert len(quick.sagemaker.list_tags(ResourceArn=arn)["Tags"]) == 2


def test_the_log_is_there_while_the_job_runs(quick: Served) -> None:
    request = quick.training(HyperParameters={"epochs": "1", "seconds": "60"})
    name = request["TrainingJobName"]
    quick.sagemaker.create_training_job(**request)

    def trains() -> bool:
        found = quick.sagemaker.describe_training_job(TrainingJobName=name)
        return bool(found["SecondaryStatus"] == "Training")

    wait_until(trains, "Training")
    log = partial(quick.log_of, "TrainingJobs", name)
    wait_until(lambda: any("epoch=0" in each for each in log()), "the line of the first epoch")
    quick.sagemaker.stop_training_job(TrainingJobName=name)
    job = quick.trained(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert statuses(job) == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    assert "ModelArtifacts" not in job
    with pytest.raises(ClientError, match="is in status Stopped"):
        quick.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_log_goes_on_in_the_stream_of_its_name(quick: Served) -> None:
    for n in range(5):
        log = JobLog(quick.logs, "/aws/sagemaker/TrainingJobs", "same-name")
        log.add(f"line {n}")
        log.flush(now=True)
    # They may have begun in more than one second, which is a part of the stream's name.
    group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
    streams = quick.logs.describe_log_streams(**group, logStreamNamePrefix="same-name/")
    assert len(streams["logStreams"]) < 5
    lines = [
        event["message"]
        for stream in streams["logStreams"]
        for event in quick.logs.get_log_events(
            **group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]
    assert sorted(lines) == [f"line {n}" for n in range(5)]


def test_a_job_goes_on_without_its_log(caplog: pytest.LogCaptureFixture) -> None:
    log = JobLog(client("logs", "http://127.0.0.1:1"), "group", "job")
    log.add("line")
    log.flush(now=True)
    assert "the log of job/algo-1-" in caplog.text


def test_nothing_follows_the_request_to_stop_but_the_end(quick: Served) -> None:
    request = quick.training()
    name = request["TrainingJobName"]
    quick.sagemaker.create_training_job(**request)
    quick.sagemaker.stop_training_job(TrainingJobName=name)
    assert statuses(quick.trained(name))[-2:] == ["Stopping", "Stopped"]


def test_a_job_that_is_stopped_when_all_is_done() -> None:
    job = Job("training-job", "late", "arn", {}, None)

    def work() -> str:
        job.enter("Uploading", "")
        assert job.stop()
        job.enter("Training", "")
        return "s3://bucket/model.tar.gz"

    to_its_end(job, work)
    seen = job.seen()
    assert (seen["status"], seen["artifact"]) == ("Stopped", None)
    assert [each["Status"] for each in seen["transitions"]] == ["Uploading", "Stopping", "Stopped"]


def test_a_reason_of_the_program(quick: Served) -> None:
    reason = "ClientError: " + "x" * 1100
    job = quick.train(HyperParameters={"fail": reason})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == reason[:1024]
    assert quick.keys(f"{job['TrainingJobName']}/models/") == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"seed": "7"}, "seed is an extension; SageMaker's DeepAR does not know it"),
        ({"num_cells": "0"}, "num_cells must be an integer >= 1, not '0'"),
        ({"prediction_length": None}, "prediction_length is required"),
    ],
)
def test_hyperparameters_of_the_built_in_image(
    quick: Served, settings: dict[str, str | None], reason: str
) -> None:
    lengths = {"prediction_length": "4", "context_length": "4"}
    merged = {"time_freq": "W", "epochs": "1", **lengths, **settings}
    job = quick.train(
        HyperParameters={name: text for name, text in merged.items() if text is not None},
        AlgorithmSpecification={"TrainingImage": BUILT_IN, "TrainingInputMode": "File"},
    )
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert reason in job["FailureReason"]
    assert statuses(job)[-2:] == ["Training", "Failed"]


def test_a_job_that_runs_too_long(quick: Served) -> None:
    job = quick.train(
        HyperParameters={"seconds": "60"}, StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "ModelArtifacts" not in job


def spot(quick: Served, seconds: int = 600, **changes: Any) -> dict[str, Any]:
    limits = {"MaxRuntimeInSeconds": seconds, "MaxWaitTimeInSeconds": seconds}
    return {"EnableManagedSpotTraining": True, "StoppingCondition": limits, **changes}


@pytest.mark.parametrize("checkpoints", [True, False])
def test_a_spot_interruption(quick: Served, checkpoints: bool) -> None:
    quick.ask(spot_interruptions=1)
    # Not a spot job: the fault waits.
    assert quick.train()["TrainingJobStatus"] == "Completed"
    request = quick.training(HyperParameters={"epochs": "3", "seconds": "3"}, **spot(quick))
    name = request["TrainingJobName"]
    if checkpoints:
        request["CheckpointConfig"] = {"S3Uri": f"s3://{quick.bucket}/{name}/checkpoints"}
    quick.sagemaker.create_training_job(**request)
    job = quick.trained(name)
    before, after = ["Starting", "Downloading", "Training"], ["Downloading", "Training"]
    assert statuses(job) == [
        *(*before, "Interrupted", "Restarting"),
        *(*after, "Uploading", "Completed"),
    ]
    begun = [line for line in quick.log_of("TrainingJobs", name) if line.startswith("begins")]
    assert begun == ["begins at epoch 0", f"begins at epoch {1 if checkpoints else 0}"]
    kept = [f"epoch-{epoch}" for epoch in range(3)]
    assert quick.keys(f"{name}/checkpoints/") == (kept if checkpoints else [])


@pytest.mark.parametrize("key", ["/{folder}/part.json", "../../../../../..{folder}/part.json"])
def test_a_key_that_leads_out_of_its_channel(quick: Served, tmp_path: Path, key: str) -> None:
    prefix = f"escape/{uuid4().hex}/"
    quick.put(prefix + key.format(folder=tmp_path), {})
    channels = [channel("train", f"s3://{quick.bucket}/{prefix}")]
    job = quick.train(InputDataConfig=channels)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: The key escape/")
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_stay_in_the_tree(quick: Served) -> None:
    where = {"S3Uri": f"s3://{quick.bucket}/kept/", "LocalPath": "/opt/ml//checkpoints"}
    assert quick.train(CheckpointConfig=where)["TrainingJobStatus"] == "Completed"
    assert quick.keys("kept/") == ["epoch-0", "epoch-1"]


def test_a_spot_job_that_waits_too_long(quick: Served) -> None:
    quick.ask(stuck=1)
    job = quick.train(**spot(quick, 1))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_jobs_that_fail_because_it_was_asked_for(quick: Served) -> None:
    quick.ask(capacity_errors=1, internal_errors=1, die=1)
    jobs = [quick.train(HyperParameters={"seconds": "1"}) for _ in range(3)]
    reasons = [job["FailureReason"].partition(":")[0] for job in jobs]
    assert reasons == ["CapacityError", "InternalServerError", "AlgorithmError"]
    assert statuses(jobs[0]) == ["Starting", "Failed"]
    assert all(statuses(job)[-2:] == ["Training", "Failed"] for job in jobs[1:])
    assert "TrainingStartTime" not in jobs[0]
    assert quick.train()["TrainingJobStatus"] == "Completed"


def test_an_internal_error_is_tried_again(quick: Served) -> None:
    quick.ask(internal_errors=1)
    job = quick.train(RetryStrategy={"MaximumRetryAttempts": 1}, HyperParameters={"seconds": "0.2"})
    assert job["TrainingJobStatus"] == "Completed"
    assert "Restarting" in statuses(job)


def test_a_stuck_job_holds_nobody_up(quick: Served) -> None:
    quick.ask(stuck=1)
    request = quick.training()
    quick.sagemaker.create_training_job(**request)
    assert quick.train()["TrainingJobStatus"] == "Completed"
    name = request["TrainingJobName"]
    found = quick.sagemaker.describe_training_job(TrainingJobName=name)
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("InProgress", "Training")
    quick.sagemaker.stop_training_job(TrainingJobName=name)
    assert quick.trained(name)["TrainingJobStatus"] == "Stopped"


def test_a_deleted_job_frees_its_name(quick: Served) -> None:
    name = quick.train()["TrainingJobName"]
    quick.sagemaker.delete_training_job(TrainingJobName=name)
    with pytest.raises(ClientError, match=r"ResourceNotFound.*Requested resource not found"):
        quick.sagemaker.stop_training_job(TrainingJobName=name)
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
        quick.sagemaker.describe_training_job(TrainingJobName=name)
    assert quick.train(name)["TrainingJobStatus"] == "Completed"


def test_an_image_of_ours_takes_anything(quick: Served) -> None:
    job = quick.train(
        AlgorithmSpecification={"TrainingImage": OWN, "TrainingInputMode": "File"},
        HyperParameters={"seed": "7"},
    )
    assert job["TrainingJobStatus"] == "Completed"
    assert "FinalMetricDataList" not in job
