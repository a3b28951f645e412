"""The longest possible bill of a job, from its limits and the table of prices."""

from __future__ import annotations

from salescast.forecaster import Limits, Use
from salescast.forecaster.sagemaker.prices import Prices
from salescast.forecaster.sagemaker.settings import SageMakerSettings


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
