"""Looks at everything that a target needs, and says what to do about what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from salescast.doctor.check import Outcome, State, carry_out
from salescast.settings import Settings

__all__ = ["Outcome", "State", "examine"]


def examine(settings: Settings) -> Iterator[tuple[str, Outcome]]:
    """Carry out all checks of the settings' target; none stops the others.

    Yields:
        Name and outcome of each check, as soon as it is known.
    """
    from salescast.doctor.machine import machine_checks

    yield from carry_out(machine_checks(settings))
    if settings.target == "athena":
        # Only now: where boto3 is missing, the versions have been told.
        from salescast.doctor.athena import athena_checks

        yield from carry_out(athena_checks(settings))
    if settings.forecaster == "sagemaker":
        from salescast.doctor.sagemaker import sagemaker_checks

        yield from carry_out(sagemaker_checks(settings))
