"""boto3 before a SageMaker, the requests that tests send, and waiting for what becomes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import requests
from botocore.config import Config

from local_aws.stack import Stack

REGION = "us-east-1"
BUILT_IN = f"522234722520.dkr.ecr.{REGION}.amazonaws.com/forecasting-deepar:1"
OWN = f"000000000000.dkr.ecr.{REGION}.amazonaws.com/our-deepar:3"
ROLE = "arn:aws:iam::000000000000:role/forecasts"
_numbers = count(1)


def client(service: str, url: str) -> Any:
    """A client that tries once."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@dataclass
class Served:
    """A SageMaker with what is around it."""

    url: str
    bucket: str
    sagemaker: Any
    s3: Any
    logs: Any

    def put(self, key: str, *lines: Any) -> str:
        """Put an object of lines, JSON or as they are; returns its URI."""
        texts = (each if isinstance(each, str) else json.dumps(each) for each in lines)
        body = "".join(f"{text}\n" for text in texts)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, without it."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [each["Key"].removeprefix(prefix) for each in found]

    def read(self, uri: str) -> bytes:
        """Content of an object."""
        key = uri.removeprefix(f"s3://{self.bucket}/")
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def ask(self, **faults: Any) -> None:
        """Ask for faults."""
        answer = requests.post(f"{self.url}/faults", json=faults)
        assert answer.ok, answer.text

    def training(self, name: str | None = None, /, **changes: Any) -> dict[str, Any]:
        """A CreateTrainingJob of our own image; a change to None drops the member."""
        name = name or f"job-{next(_numbers)}"
        uri = self.put(f"{name}/train/part-0.json", {"start": "2024-01-07 00:00:00"})
        request = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": OWN, "TrainingInputMode": "File"},
            "HyperParameters": {"epochs": "2"},
            "InputDataConfig": [channel("train", uri.removesuffix("part-0.json"))],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/{name}/models/"},
            "ResourceConfig": {
                "InstanceType": "ml.c5.2xlarge",
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        } | changes
        return {member: value for member, value in request.items() if value is not None}

    def train(self, name: str | None = None, /, **changes: Any) -> dict[str, Any]:
        """Train to the end, and describe."""
        request = self.training(name, **changes)
        self.sagemaker.create_training_job(**request)
        return self.trained(request["TrainingJobName"])

    def trained(self, name: str) -> dict[str, Any]:
        """A training job that has ended."""
        return self._ended(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus"
        )

    def model(self, artifact: str, *, image: str = OWN, **container: Any) -> str:
        """Make a model; returns its name."""
        name = f"model-{next(_numbers)}"
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": image, "ModelDataUrl": artifact, **container},
        )
        return name

    def transforming(self, model: str, uri: str, /, **changes: Any) -> dict[str, Any]:
        """A CreateTransformJob as DeepAR wants it; a change to None drops the member."""
        name = f"job-{next(_numbers)}"
        request = {
            "TransformJobName": name,
            "ModelName": model,
            "BatchStrategy": "SingleRecord",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                "ContentType": "application/jsonlines",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{self.bucket}/{name}/out/",
                "Accept": "application/jsonlines",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
            "DataProcessing": {
                "JoinSource": "Input",
                "OutputFilter": "$['item_id','SageMakerOutput']",
            },
        } | changes
        return {member: value for member, value in request.items() if value is not None}

    def transform(self, model: str, uri: str, /, **changes: Any) -> dict[str, Any]:
        """Transform to the end, and describe."""
        request = self.transforming(model, uri, **changes)
        self.sagemaker.create_transform_job(**request)
        return self.transformed(request["TransformJobName"])

    def transformed(self, name: str) -> dict[str, Any]:
        """A transform job that has ended."""
        return self._ended(
            lambda: self.sagemaker.describe_transform_job(TransformJobName=name),
            "TransformJobStatus",
        )

    def outputs(self, job: dict[str, Any]) -> dict[str, list[Any]]:
        """Lines of each object that a transform job wrote."""
        prefix = f"{job['TransformJobName']}/out/"
        return {
            key: [
                json.loads(line)
                for line in self.read(f"s3://{self.bucket}/{prefix}{key}").splitlines()
            ]
            for key in self.keys(prefix)
        }

    def log_of(self, group: str, name: str) -> list[str]:
        """Lines of a job's log."""
        where = {"logGroupName": f"/aws/sagemaker/{group}"}
        streams = self.logs.describe_log_streams(**where, logStreamNamePrefix=f"{name}/algo-1-")
        (stream,) = streams["logStreams"]
        events = self.logs.get_log_events(
            **where, logStreamName=stream["logStreamName"], startFromHead=True
        )
        return [each["message"] for each in events["events"]]

    def _ended(self, describe: Callable[[], dict[str, Any]], member: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(describe())
            return found[member] not in ("InProgress", "Stopping")

        wait_until(ended, "the end of the job")
        return found


def served_by(stack: Stack) -> Served:
    """The process that `up` starts."""
    url = stack.environment["AWS_ENDPOINT_URL"]
    return Served(
        stack.sagemaker_url,
        stack.bucket,
        client("sagemaker", stack.sagemaker_url),
        client("s3", url),
        client("logs", url),
    )


def channel(name: str, uri: str) -> dict[str, Any]:
    """One channel."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "json"}


def statuses(job: dict[str, Any]) -> list[str]:
    """Secondary statuses that a training job went through."""
    return [each["Status"] for each in job["SecondaryStatusTransitions"]]


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Look often until it is so; `what` is told when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} has not come within {seconds:g} s"
        time.sleep(0.05)
