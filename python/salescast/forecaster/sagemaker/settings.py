"""What SageMaker's jobs are asked for with, from `SALESCAST_SAGEMAKER_*` variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from salescast.errors import UserError

PREFIX = "SALESCAST_SAGEMAKER_"
_WANTED = {
    "role_arn": "Give the role's ARN, as arn:aws:iam::123456789012:role/salescast-jobs.",
    "train_instance_type": "Give a machine as SageMaker names it, as ml.c5.2xlarge.",
    "transform_instance_type": "Give a machine as SageMaker names it, as ml.m5.xlarge.",
}
"""What to give where a pattern would say little."""


def _listed(value: Any) -> Any:
    """`a,b` as a tuple."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _paired(value: Any) -> Any:
    """`key=value,key=value` as a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    for key, sign, _ in pairs:
        if not key.strip() or not sign:
            raise ValueError("write key=value,key=value")
    return {key.strip(): text.strip() for key, _, text in pairs}


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Paired = Annotated[dict[str, str], NoDecode, BeforeValidator(_paired)]


class SageMakerSettings(BaseSettings):
    """Machines, network, limits and names of the jobs; one object for a whole command.

    Attributes:
        role_arn: The role that the jobs take; needed by every job.
        image: URI of our own image; None for the built-in DeepAR of the region.
        train_instance_type: Machine of a training job.
        train_instance_count: Machines of a training job; our own image trains on one.
        train_volume_gb: Disk of each of them.
        train_max_seconds: After this a training job is stopped.
        train_spot: Train on spot machines; an interruption begins the training from zero.
        train_max_wait_seconds: With spot: waiting and training together; None for
            `train_max_seconds`.
        transform_instance_type: Machine of a batch transform, without a GPU for the built-in image.
        transform_instance_count: Machines of a batch transform; the input is split for them.
        transform_max_seconds: After this a batch transform is stopped by this program.
        transform_max_payload_mb: Largest line of the input.
        subnets: Subnets of a VPC, with `security_groups`.
        security_groups: Security groups of a VPC, with `subnets`.
        tags: Tags of every job and model.
        network_isolation: Containers reach nothing but S3.
        poll_seconds: Between two looks at a job.
        prices: A table of prices to use instead of the one that comes with salescast.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    role_arn: str | None = Field(None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$")
    image: str | None = None
    train_instance_type: str = Field("ml.c5.2xlarge", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")
    train_instance_count: int = Field(1, ge=1, le=100)
    train_volume_gb: int = Field(30, ge=1, le=16384)
    train_max_seconds: int = Field(7200, ge=1, le=2_419_200)
    train_spot: bool = False
    train_max_wait_seconds: int | None = Field(None, ge=1, le=2_419_200)
    transform_instance_type: str = Field("ml.m5.xlarge", pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")
    transform_instance_count: int = Field(1, ge=1, le=100)
    transform_max_seconds: int = Field(7200, ge=1, le=2_419_200)
    transform_max_payload_mb: int = Field(6, ge=1, le=100)
    subnets: Listed = ()
    security_groups: Listed = ()
    tags: Paired = {}
    network_isolation: bool = False
    poll_seconds: float = Field(30.0, gt=0)
    prices: Path | None = None


def load_sagemaker_settings() -> SageMakerSettings:
    """Settings of the environment.

    Raises:
        UserError: A variable has a value that is not allowed.
    """
    try:
        return SageMakerSettings()  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        raise UserError(
            f"{PREFIX}{name.upper()} has a value that is not allowed: {first.get('input')!r}.",
            where="environment",
            fix=_WANTED.get(name, f"{first['msg']}."),
        ) from error
