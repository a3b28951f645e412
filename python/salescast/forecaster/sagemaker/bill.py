"""The longest possible bill of a job, from its limits and the table of prices."""

from __future__ import annotations

from dataclasses import dataclass

from salescast.forecaster.sagemaker.prices import Prices, Use
from salescast.forecaster.sagemaker.settings import SageMakerSettings


@dataclass(frozen=True)
class Limits:
    """Machines of a job, how long it may take, and what that would cost at most.

    Attributes:
        instance_type: Kind of machine.
        instance_count: Number of machines.
        max_seconds: The job is stopped after that.
        usd_per_hour: Price of one machine; None if it is not known.
        max_usd: Dollars if the job takes all its time; None if the price is not known.
    """

    instance_type: str
    instance_count: int
    max_seconds: int
    usd_per_hour: float | None
    max_usd: float | None


def limits_of(use: Use, settings: SageMakerSettings, prices: Prices, region: str) -> Limits:
    """The limits of each job of a use; spot machines never cost more than on demand."""
    if use == "training":
        machine = settings.train_instance_type, settings.train_instance_count
        seconds = settings.train_max_seconds
    else:
        machine = settings.transform_instance_type, settings.transform_instance_count
        seconds = settings.transform_max_seconds
    price = prices.find(region, use, machine[0])
    return Limits(
        *machine,
        max_seconds=seconds,
        usd_per_hour=price.usd_per_hour if price else None,
        max_usd=prices.cost_usd(region, use, *machine, seconds),
    )
