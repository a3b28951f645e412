"""Calls that are refused, throttled, lost or answered late; lists and their pages."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, ConnectionClosedError

from .sagemaker_server import BUILT_IN, OWN, Served, channel


def post(quick: Served, target: str, request: Any) -> tuple[int, dict[str, Any]]:
    """A call past boto3, which would refuse much by itself."""
    answer = requests.post(quick.url, json=request, headers={"X-Amz-Target": target})
    return answer.status_code, answer.json()


def algorithm(**members: Any) -> dict[str, Any]:
    return {"TrainingImage": OWN, "TrainingInputMode": "File", **members}


SPOT = {"EnableManagedSpotTraining": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TrainingJobName": "a_b"}, "regular expression"),
        ({"HyperParameters": {f"h{n}": "1" for n in range(101)}}, "less than or equal to 100"),
        ({"HyperParameters": {"a": "x" * 2501}}, "less than or equal to 2500"),
        ({"RoleArn": "arn:aws:iam::1:role/forecasts"}, "regular expression"),
        ({"ResourceConfig": None}, "InstanceType is required"),
        ({"AlgorithmSpecification": algorithm(TrainingInputMode="Pipe")}, "TrainingInputMode Pipe"),
        (
            {"AlgorithmSpecification": algorithm(TrainingImage=OWN.replace("us-east", "eu-west"))},
            "it must be in us-east-1",
        ),
        (
            {
                "AlgorithmSpecification": algorithm(
                    TrainingImage=BUILT_IN, MetricDefinitions=[{"Name": "a", "Regex": "(b)"}]
                )
            },
            "You can't override the metric definitions",
        ),
        ({"InputDataConfig": [channel("train", "s3://local-aws/none/")]}, "No S3 objects found"),
        ({"InputDataConfig": [channel("train", "s3://no-bucket/none/")]}, "No S3 objects found"),
        ({"InputDataConfig": [channel("train", "s3://local-aws/")] * 2}, "must be unique"),
        ({"InputDataConfig": [channel("..", "s3://local-aws/")]}, "ChannelName .. is not carried"),
        *(
            ({"CheckpointConfig": {"S3Uri": "s3://local-aws/c/", "LocalPath": path}}, "outside")
            for path in ("/opt/ml/a/../../x", "/opt/ml", "/opt/ml/", "/opt/mlx/a", "a")
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2419201}}, "must be at most 2419200"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 90000}}, "needs EnableManagedSpotTraining"),
        (SPOT, "needs MaxWaitTimeInSeconds"),
        (
            SPOT | {"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8}},
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            SPOT
            | {"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 3601}}
            | {"AlgorithmSpecification": algorithm(TrainingImage=BUILT_IN)},
            "must be at most 3600",
        ),
        ({"ProfilerConfig": {"DisableProfiler": True}}, "ProfilerConfig is not carried out"),
        ({"Tags": [{"Key": "a", "Value": "b"}] * 2}, "Duplicate tag keys"),
    ],
)
def test_refused_training_jobs(quick: Served, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match="ValidationException") as refused:
        quick.sagemaker.create_training_job(**quick.training("refused", **changes))
    assert message in str(refused.value)
    with pytest.raises(ClientError):
        quick.sagemaker.describe_training_job(TrainingJobName="refused")


def test_what_boto3_would_not_send(quick: Served) -> None:
    status, answer = post(quick, "SageMaker.DescribeTrainingJob", {"TrainingJob": "a"})
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert "Unknown parameter" in answer["message"]
    for target in ("SageMaker.CreateEndpoint", "Other.ListModels"):
        assert post(quick, target, {})[1]["__type"] == "UnknownOperationException"
    assert requests.get(f"{quick.url}/health").json() == {"status": "ok"}


def test_a_name_that_is_taken(quick: Served) -> None:
    name = quick.train()["TrainingJobName"]
    with pytest.raises(ClientError, match=r"ResourceInUse.*Training job names must be unique"):
        quick.sagemaker.create_training_job(**quick.training(name))


def test_refused_creates(quick: Served) -> None:
    quick.ask(refuse_creates=1)
    request = quick.training()
    with pytest.raises(ClientError, match=r"ResourceLimitExceeded.*ml\.c5\.2xlarge for training"):
        quick.sagemaker.create_training_job(**request)
    quick.sagemaker.create_training_job(**request)


def test_throttling_has_a_rate_and_a_seed(quick: Served) -> None:
    def throttled() -> list[bool]:
        quick.ask(throttle_rate=0.4, seed=3)
        answers = [post(quick, "SageMaker.ListModels", {}) for _ in range(30)]
        return [answer.get("__type") == "ThrottlingException" for _, answer in answers]

    first = throttled()
    assert 3 < sum(first) < 27
    assert throttled() == first


def test_an_answer_that_gets_lost(quick: Served) -> None:
    quick.ask(lose_answers=1)
    request = quick.training()
    with pytest.raises(ConnectionClosedError):
        quick.sagemaker.create_training_job(**request)
    assert quick.trained(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="ResourceInUse"):
        quick.sagemaker.create_training_job(**request)


def test_a_job_that_describe_does_not_know_yet(quick: Served) -> None:
    quick.ask(describe_lag_seconds=600)
    request = quick.training()
    name = request["TrainingJobName"]
    quick.sagemaker.create_training_job(**request)
    with pytest.raises(ClientError, match="ValidationException"):
        quick.sagemaker.describe_training_job(TrainingJobName=name)
    listed = quick.sagemaker.list_training_jobs(NameContains=name)
    assert listed["TrainingJobSummaries"] == []
    with pytest.raises(ClientError, match="ResourceInUse"):
        quick.sagemaker.create_training_job(**request)
    quick.ask()
    assert quick.trained(name)["TrainingJobStatus"] == "Completed"


def test_lists(quick: Served) -> None:
    for n in range(3):
        quick.train(f"listed-{n}", HyperParameters={"fail": "no"} if n == 1 else {"epochs": "1"})
    list_jobs = quick.sagemaker.list_training_jobs

    def names(**request: Any) -> list[str]:
        found = list_jobs(NameContains="listed", **request)["TrainingJobSummaries"]
        return [each["TrainingJobName"] for each in found]

    assert names() == ["listed-0", "listed-1", "listed-2"]
    assert names(SortOrder="Descending") == ["listed-2", "listed-1", "listed-0"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["listed-0", "listed-1", "listed-2"]
    assert names(StatusEquals="Failed") == ["listed-1"]
    created = quick.trained("listed-1")["CreationTime"]
    assert names(CreationTimeAfter=created) == ["listed-1", "listed-2"]
    pages = quick.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="listed", PaginationConfig={"PageSize": 2}
    )
    assert [len(each["TrainingJobSummaries"]) for each in pages] == [2, 1]
    with pytest.raises(ClientError, match="NextToken"):
        list_jobs(NextToken="x")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"dies": 1}, "no such fault: dies"),
        ({"die": True}, "die is True; int is expected"),
        ({"stuck": -1}, "stuck is -1; 0 or more is expected"),
        ({"throttle_rate": 1.5}, "throttle_rate is 1.5; 0 to 1 is expected"),
    ],
)
def test_what_is_no_fault(quick: Served, wanted: dict[str, Any], message: str) -> None:
    answer = requests.post(f"{quick.url}/faults", json=wanted)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
