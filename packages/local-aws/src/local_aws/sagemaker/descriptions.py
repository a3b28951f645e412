"""What Describe and List tell of jobs and models."""

from __future__ import annotations

import math
from typing import Any

from local_aws.sagemaker.jobs import Job, Model
from local_aws.sagemaker.rules import DAY

Members = dict[str, Any]


def described_training(job: Job) -> Members:
    """Members of DescribeTrainingJob; those without a value are left out."""
    seen = job.seen()
    times = (seen["started"], seen["ended"])
    last = seen["transitions"][-1]["Status"] if seen["transitions"] else "Starting"
    answer = {
        **_asked(job),
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": seen["status"],
        "SecondaryStatus": last,
        "FailureReason": seen["failure_reason"],
        "StoppingCondition": {
            "MaxRuntimeInSeconds": DAY,
            **job.request.get("StoppingCondition", {}),
        },
        "CreationTime": job.created,
        "TrainingStartTime": seen["started"],
        "TrainingEndTime": seen["ended"],
        "LastModifiedTime": seen["modified"],
        "SecondaryStatusTransitions": seen["transitions"],
        "ModelArtifacts": {"S3ModelArtifacts": seen["artifact"]} if seen["artifact"] else None,
        "FinalMetricDataList": [
            {"MetricName": name, "Value": value, "Timestamp": moment}
            for name, (value, moment) in seen["metrics"].items()
        ]
        or None,
        **{
            name: job.request.get(name, False)
            for name in (
                "EnableNetworkIsolation",
                "EnableInterContainerTrafficEncryption",
                "EnableManagedSpotTraining",
            )
        },
    }
    if None not in times:
        answer["TrainingTimeInSeconds"] = max(1, math.ceil(times[1] - times[0]))
        answer["BillableTimeInSeconds"] = max(1, math.ceil(seen["billable_seconds"]))
    return _present(answer)


def described_transform(job: Job) -> Members:
    """Members of DescribeTransformJob; those without a value are left out."""
    seen = job.seen()
    return _present(
        {
            **_asked(job),
            "TransformJobArn": job.arn,
            "TransformJobStatus": seen["status"],
            "FailureReason": seen["failure_reason"],
            "CreationTime": job.created,
            "TransformStartTime": seen["started"],
            "TransformEndTime": seen["ended"],
        }
    )


def described_model(model: Model) -> Members:
    """Members of DescribeModel."""
    return {
        **{name: value for name, value in model.request.items() if name != "Tags"},
        "ModelArn": model.arn,
        "CreationTime": model.created,
        "EnableNetworkIsolation": model.request.get("EnableNetworkIsolation", False),
    }


def summary_of_job(job: Job, word: str) -> Members:
    """One entry of ListTrainingJobs (`word` is Training) or ListTransformJobs (Transform)."""
    seen = job.seen()
    return _present(
        {
            f"{word}JobName": job.name,
            f"{word}JobArn": job.arn,
            f"{word}JobStatus": seen["status"],
            "CreationTime": job.created,
            f"{word}EndTime": seen["ended"],
            "LastModifiedTime": seen["modified"],
            **({"FailureReason": seen["failure_reason"]} if word == "Transform" else {}),
        }
    )


def summary_of_model(model: Model) -> Members:
    """One entry of ListModels."""
    return {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": model.created}


def _asked(job: Job) -> Members:
    return {name: value for name, value in job.request.items() if name != "Tags"}


def _present(members: Members) -> Members:
    return {name: value for name, value in members.items() if value is not None}
