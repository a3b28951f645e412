"""Checks of AWS for the forecaster sagemaker: where its files go, and whether it answers."""

from __future__ import annotations

import secrets
from functools import partial

from salescast.aws import client, open_session
from salescast.doctor.aws_errors import asking
from salescast.doctor.check import Check, Outcome, not_checked, ok
from salescast.s3 import opener
from salescast.settings import Settings

_PROBE = "_salescast_doctor_"


def sagemaker_checks(settings: Settings) -> list[Check]:
    """What SageMaker's jobs need of AWS; nothing that a check makes is left there."""
    return [
        Check("SageMaker staging", partial(_staging, settings)),
        Check("SageMaker", partial(_sagemaker, settings)),
        Check("SageMaker quotas", _quotas),
    ]


def _staging(settings: Settings) -> Outcome:
    """Put a probe below the staging prefix, list it and delete it."""
    prefix = opener(settings)(settings.sagemaker_staging_uri)
    folder = f"{_PROBE}{secrets.token_hex(8)}"
    with asking(f"{prefix.uri}/* (SALESCAST_STAGING)"):
        prefix.write(f"{folder}/probe", b"A probe of salescast doctor; it may be deleted.\n")
        prefix.delete_all(folder)
    return ok(f"{prefix.uri}: put, list, delete")


def _sagemaker(settings: Settings) -> Outcome:
    """Ask for the newest training job; what a job may do shows only when one runs."""
    session = open_session(settings)
    with asking("*"):
        client(session, "sagemaker").list_training_jobs(MaxResults=1)
    return ok(f"answers in {session.region_name}")


def _quotas() -> Outcome:
    return not_checked(
        "whether the account may use the machines shows only when a job asks for them",
        "See Service Quotas, SageMaker, `… for training job usage` and `… for transform job "
        "usage`: new accounts often have 0.",
    )
