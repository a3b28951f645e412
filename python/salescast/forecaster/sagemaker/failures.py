"""Failures that users meet, by the signs that AWS gives, with what mends each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from salescast.container.errors import NO_MODEL
from salescast.errors import RunError
from salescast.forecaster import NEW_MODEL

RESUME = "`salescast run --resume`"

_RETRYABLE = re.compile(r"CapacityError|InsufficientCapacity|insufficient capacity|InternalServer")


@dataclass(frozen=True)
class _Known:
    sign: re.Pattern[str]
    fix: str


def _known(sign: str, fix: str) -> _Known:
    return _Known(re.compile(sign, re.I), fix)


_FAILURES = (
    _known(
        r"No S3 objects found under S3 URL",
        "Look whether the prefix is there, in the job's region, and that the role has "
        f"s3:ListBucket and s3:GetObject on it; then {RESUME}.",
    ),
    _known(
        r"account-level service limit|ResourceLimitExceeded",
        "Have the quota raised (Service Quotas, SageMaker, `… for training job usage` or `… for "
        "transform job usage`), or name another machine in SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE "
        f"or SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE; then {RESUME}.",
    ),
    _known(
        r"MaxRuntimeExceeded",
        f"Raise SALESCAST_SAGEMAKER_TRAIN_MAX_SECONDS or take a larger machine; then {RESUME}.",
    ),
    _known(
        r"MaxWaitTimeExceeded",
        "Raise SALESCAST_SAGEMAKER_TRAIN_MAX_WAIT_SECONDS (the built-in image waits 3600 s at "
        f"most), or unset SALESCAST_SAGEMAKER_TRAIN_SPOT; then {RESUME}.",
    ),
    _known(
        r"TRANSFORM_MAX_SECONDS",
        "Raise SALESCAST_SAGEMAKER_TRANSFORM_MAX_SECONDS, or take more machines "
        f"(SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_COUNT); then {RESUME}.",
    ),
    _known(
        r"somebody stopped it",
        f"Find out who stopped it and why; {RESUME} starts a new one.",
    ),
    _known(
        r"CapacityError|InsufficientCapacity|insufficient capacity",
        "AWS has no such machine free: name another in SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE or "
        "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE, or add subnets of other zones; then "
        f"{RESUME}.",
    ),
    _known(
        r"PassRole|is not authorized to perform|AccessDenied",
        "Add the right that is named to the caller or the job's role (docs/sagemaker.md has both "
        f"policies); then {RESUME}.",
    ),
    _known(
        r"did not contain examples for all categories",
        "The exported categories have gaps: start a new batch (salescast run), which exports anew.",
    ),
    _known(
        r"consist of only zeros",
        "No series has a sale: look at fct_weekly_sales and at missing_means in the mapping, then "
        "start a new batch (salescast run).",
    ),
    _known(
        r"Error when parsing json",
        "A line of the input is broken: start a new batch (salescast run), which exports anew; if "
        "it stays, look at the files below SALESCAST_STAGING.",
    ),
    _known(
        r"trained without .?cat",
        "The model has no categories but the records do: train a new one, without --trained-model.",
    ),
    _known(
        r"'Timestamp' and 'str'",
        "An old image failed while it told another error: unset SALESCAST_SAGEMAKER_IMAGE or name "
        f"a newer one; then {RESUME}.",
    ),
    _known(
        r"out ?of ?memory|more memory",
        "Take a machine with more memory, or a smaller mini_batch_size, num_cells or "
        f"context_length in models.toml; then {RESUME}, or a new batch after a change of models.",
    ),
    _known(
        r"payload.*\b(size|larger|limit)\b|exceeds MaxPayloadInMB|\b413\b",
        f"Raise SALESCAST_SAGEMAKER_TRANSFORM_MAX_PAYLOAD_MB; then {RESUME}.",
    ),
    _known(
        r"(access|download) model data",
        f"The job's role needs s3:GetObject and s3:ListBucket on SALESCAST_STAGING; then {RESUME}.",
    ),
    _known(
        r"\bKMS",
        "The job's role needs kms:Decrypt, kms:GenerateDataKey and kms:CreateGrant on "
        f"SALESCAST_KMS_KEY_ID; then {RESUME}.",
    ),
    _known(
        r"\bECR\b|\bpull(ing)? .*\bimage|\bimage\b.*\bnot (found|exist)",
        "Look whether SALESCAST_SAGEMAKER_IMAGE exists in the job's region and the role may pull "
        f"it; then {RESUME}.",
    ),
    _known(NO_MODEL, NEW_MODEL),
    # Last: classes, which say who has to act.
    _known(
        r"ClientError",
        "Mend the data or settings that it names (models.toml, the mapping), then start a new "
        "batch: salescast run.",
    ),
    _known(
        r"AlgorithmError|InternalServer",
        f"Look at the log; {RESUME} starts the job once more.",
    ),
)


def is_retryable(reason: str) -> bool:
    """Whether the same job may well succeed a little later."""
    return _RETRYABLE.search(reason) is not None


def fix_of(reason: str) -> str | None:
    """What to do about a failure that AWS gave this reason for; None if it has no sign we know."""
    return next((known.fix for known in _FAILURES if known.sign.search(reason)), None)


def job_failed(what: str, reason: str, tail: list[str], where: str) -> RunError:
    """A job that did not succeed, with the end of its log.

    Args:
        what: The job and how it ended.
        reason: What SageMaker says about it.
        tail: The newest lines of its log.
        where: The job, and the file that keeps the log.
    """
    told = "\n".join((f"{what}: {reason}", *(f"  log:   {line}" for line in tail)))
    fix = fix_of(reason) or f"Look at the job in the SageMaker console; {RESUME} starts a new one."
    return RunError(told, where=where, fix=fix)
