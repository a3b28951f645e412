"""SageMaker's models of runs that are over: found by name and tag, deleted by name."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from botocore.exceptions import ClientError

from salescast.aws import error_code
from salescast.forecaster.sagemaker.jobs import UNKNOWN
from salescast.forecaster.sagemaker.requests import RUN_TAG

_NAME = re.compile(r"(?P<run_id>[a-z0-9][a-z0-9-]{0,39})-model-[0-9]+")


def find_models(sagemaker: Any, run_ids: Collection[str]) -> list[str]:
    """Names of the models that were made for these runs.

    A model of our kind of name that does not carry the run's tag is somebody else's.

    Args:
        sagemaker: A client of boto3.
        run_ids: The runs.
    """
    pages = sagemaker.get_paginator("list_models").paginate(NameContains="-model-")
    found = []
    for page in pages:
        for model in page["Models"]:
            name = _NAME.fullmatch(model["ModelName"])
            if name is None or name["run_id"] not in run_ids:
                continue
            if _tags(sagemaker, model["ModelArn"]).get(RUN_TAG) == name["run_id"]:
                found.append(str(model["ModelName"]))
    return sorted(found)


def delete_model(sagemaker: Any, name: str) -> None:
    """Delete a model; one that is gone already is no error."""
    try:
        sagemaker.delete_model(ModelName=name)
    except ClientError as error:
        if error_code(error) not in UNKNOWN:
            raise


def _tags(sagemaker: Any, arn: str) -> dict[str, str]:
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
