"""Requests checked before they are sent: what botocore checks, and what it leaves to the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.validate import ParamValidator

from salescast.errors import UserError
from salescast.forecaster.sagemaker.requests import Request

# Letters, separators and digits of a tag: Python's patterns do not know Java's classes.
_JAVA_CLASSES, _PYTHON_CLASSES = r"\p{L}\p{Z}\p{N}_", r"\w\s"
_LONG_LIST = 20

_SETTINGS = {
    "CreateTrainingJob.ResourceConfig.InstanceType": "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE",
    "CreateTrainingJob.ResourceConfig.InstanceCount": "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_COUNT",
    "CreateTrainingJob.ResourceConfig.VolumeSizeInGB": "SALESCAST_SAGEMAKER_TRAIN_VOLUME_GB",
    "CreateTransformJob.TransformResources.InstanceType": (
        "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE"
    ),
    "CreateTransformJob.TransformResources.InstanceCount": (
        "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_COUNT"
    ),
    "MaxPayloadInMB": "SALESCAST_SAGEMAKER_TRANSFORM_MAX_PAYLOAD_MB",
    "MaxWaitTimeInSeconds": "SALESCAST_SAGEMAKER_TRAIN_MAX_WAIT_SECONDS",
    "MaxRuntimeInSeconds": "SALESCAST_SAGEMAKER_TRAIN_MAX_SECONDS",
    "RoleArn": "SALESCAST_SAGEMAKER_ROLE_ARN",
    "Image": "SALESCAST_SAGEMAKER_IMAGE",
    "Subnets": "SALESCAST_SAGEMAKER_SUBNETS",
    "SecurityGroupIds": "SALESCAST_SAGEMAKER_SECURITY_GROUPS",
    "Tags": "SALESCAST_SAGEMAKER_TAGS",
    "KmsKeyId": "SALESCAST_KMS_KEY_ID",
    "HyperParameters": "models.toml",
    "S3Uri": "SALESCAST_STAGING",
    "S3OutputPath": "SALESCAST_STAGING",
    "ModelDataUrl": "SALESCAST_STAGING",
}
"""Setting that a part of a request comes from, by what its path holds; the first that fits."""


def check_request(client: Any, operation: str, request: Request) -> None:
    """Refuse a request that SageMaker would not accept.

    Args:
        client: A client of boto3 for SageMaker, whose model of the service is used.
        operation: As `CreateTrainingJob`.
        request: Its parameters.

    Raises:
        UserError: Names each setting and what is wrong with it.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    problems = [(operation, report.generate_report())] if report.has_errors() else []
    if not problems:
        problems = list(_problems(request, shape, operation))
        problems += _across(request, operation)
    if problems:
        settings = dict.fromkeys(_setting(f"{path} {text}") for path, text in problems)
        raise UserError(
            "SageMaker would not accept the request:\n"
            + "\n".join(f"  {path}: {text}" for path, text in problems),
            where=", ".join(settings),
            fix="Change the settings named above; docs/sagemaker.md has what each may be.",
        )


def _problems(value: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """Patterns, choices and maxima, which botocore does not look at."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, each in value.items():
            yield from _problems(each, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        yield from _too_many(len(value), limits, path, "entries")
        for n, each in enumerate(value):
            yield from _problems(each, shape.member, f"{path}[{n}]")
    elif shape.type_name == "map":
        yield from _too_many(len(value), limits, path, "entries")
        for key, each in value.items():
            yield from _problems(key, shape.key, f"{path}.{key}")
            yield from _problems(each, shape.value, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _too_many(len(value), limits, path, "characters")
        if shape.enum and value not in shape.enum:
            known = ", ".join(shape.enum)
            if len(shape.enum) > _LONG_LIST:
                known = f"those that boto3 {boto3.__version__} knows; if it is new, update boto3"
            yield path, f"{value!r} is not one of {known}"
        if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
            yield path, f"{value!r} does not fit the pattern {limits['pattern']}"
    elif shape.type_name in ("integer", "long") and value > limits.get("max", value):
        yield path, f"{value} is more than {limits['max']}"


def _too_many(
    length: int, limits: dict[str, Any], path: str, of_what: str
) -> Iterator[tuple[str, str]]:
    if length > limits.get("max", length):
        yield path, f"has {length:,} {of_what}, {limits['max']:,} are allowed"


def _across(request: Request, operation: str) -> Iterator[tuple[str, str]]:
    """Rules that the service's model has in prose only."""
    for tag in request.get("Tags", ()):
        if tag["Key"].lower().startswith("aws:"):
            yield f"{operation}.Tags", f"{tag['Key']!r} begins with aws:, which is AWS's own"
    stopping = request.get("StoppingCondition", {})
    wait = stopping.get("MaxWaitTimeInSeconds")
    if wait is not None and wait < stopping["MaxRuntimeInSeconds"]:
        yield (
            f"{operation}.StoppingCondition.MaxWaitTimeInSeconds",
            f"{wait} is less than MaxRuntimeInSeconds, {stopping['MaxRuntimeInSeconds']}",
        )


def _setting(problem: str) -> str:
    return next((name for part, name in _SETTINGS.items() if part in problem), "request")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace(_JAVA_CLASSES, _PYTHON_CLASSES))
