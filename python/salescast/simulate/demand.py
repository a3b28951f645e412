"""Weekly sales, promotions and weather of the stores, simulated block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from salescast.simulate.arrays import Bools, Floats, Ints, by_week
from salescast.simulate.calendar import Calendar
from salescast.simulate.chain import REGIONS, Chain
from salescast.simulate.random_streams import stream

CELLS_A_BLOCK = 6400


@dataclass(frozen=True)
class Block:
    """Simulated weeks of neighbouring stores; arrays are (weeks, stores, departments).

    `promotion` and `anomaly` (degrees above the usual) are (weeks, stores).
    """

    number: int
    stores: Ints
    sales: Floats
    is_stocked_out: Bools
    is_sold: Bools
    promotion: Floats
    anomaly: Floats


def simulate_blocks(chain: Chain, calendar: Calendar, seed: int) -> Iterator[Block]:
    """Simulate the chain in blocks of stores, so that memory does not grow with the chain."""
    n_weeks, n_departments = len(calendar.days) // 7, len(chain.departments)
    is_campaign = stream(seed, "campaigns").random((n_weeks, 1)) < 0.07
    regional = stream(seed, "regional campaigns").random((n_weeks, len(REGIONS)))
    is_campaign = is_campaign | (regional < 0.12)
    steps = stream(seed, "departments").normal(0.0, 0.005, (n_weeks, n_departments))
    expected = np.log(by_week(calendar.day_factors).sum(axis=1)) + np.cumsum(steps, axis=0)
    log_price = np.log(by_week(calendar.price_index).mean(axis=1) / 100.0)

    size = max(1, min(64, CELLS_A_BLOCK // n_departments))
    for number, begin in enumerate(range(0, len(chain.stores), size)):
        stores = np.arange(begin, min(begin + size, len(chain.stores)))
        region = chain.region[stores]
        yield _simulate_block(
            chain, seed, number, stores, expected, is_campaign[:, region], log_price[:, region]
        )


def _simulate_block(
    chain: Chain,
    seed: int,
    number: int,
    stores: Ints,
    expected: Floats,
    is_campaign: Bools,
    log_price: Floats,
) -> Block:
    """Simulate all weeks of some stores.

    Args:
        chain: The chain.
        seed: Seed of all random streams.
        number: Number of the block, which names its streams.
        stores: Positions of the stores in the chain.
        expected: Logarithm of the week's factor, of shape (weeks, departments).
        is_campaign: Whether a store takes part in a campaign, of shape (weeks, stores).
        log_price: Logarithm of the price level, of shape (weeks, stores).
    """
    weeks, n_departments = expected.shape
    shape = (weeks, len(stores), n_departments)
    level = chain.level[stores]

    breadth = stream(seed, "breadth", number).uniform(0.75, 1.0, shape[:2])
    breadth = np.where(is_campaign, breadth, 0.04)
    is_promoted = stream(seed, "promotions", number).random(shape) < breadth[:, :, None]
    is_stocked_out = stream(seed, "stock", number).random(shape) < 0.003

    # Weather of a week drags on for two more.
    shocks = stream(seed, "weather", number).normal(0.0, 2.4, shape[:2])
    anomaly = shocks.copy()
    anomaly[1:] += 0.6 * shocks[:-1]
    anomaly[2:] += 0.3 * shocks[:-2]

    # Each series amplifies or damps its department's season; the first year stands for its mean.
    season = stream(seed, "season", number).normal(1.0, 0.1, shape[1:])
    middle = expected[:52].mean(axis=0)
    log = middle + (expected - middle)[:, None, :] * season
    log += _drift(stream(seed, "series drift", number), shape, 0.0045)
    log += _drift(stream(seed, "store drift", number), shape[:2], 0.003)[:, :, None]
    log += 0.6 * log_price[:, :, None]
    log += np.array([profile.uplift for profile in chain.profiles]) * is_promoted
    log += np.array([profile.per_degree for profile in chain.profiles]) * anomaly[:, :, None]
    # Small series are noisier: fewer customers average out less.
    spread = np.array([profile.noise for profile in chain.profiles]) * (level / 10000.0) ** -0.15
    log += spread * stream(seed, "noise", number).standard_normal(shape)
    log += 0.015 * stream(seed, "store noise", number).standard_normal(shape[:2])[:, :, None]

    sales = level * np.exp(log)
    lost = stream(seed, "lost sales", number).uniform(0.2, 0.7, shape[1:])
    sales = np.where(is_stocked_out, sales * lost, sales)

    week = np.arange(weeks)[:, None, None]
    is_sold = (week >= chain.start_week[stores]) & (week < chain.end_week[stores])
    since_gap = week - chain.gap_week[stores]
    is_sold &= (since_gap < 0) | (since_gap >= chain.gap_weeks[stores])
    is_open: Bools = week >= chain.open_week[stores, None]
    is_open = is_open & (week < chain.close_week[stores, None])
    return Block(
        number=number,
        stores=stores,
        sales=sales,
        is_stocked_out=is_stocked_out,
        is_sold=is_sold,
        promotion=(is_promoted & is_open).mean(axis=2),
        anomaly=anomaly,
    )


def _drift(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Floats:
    """A level that drifts in small steps and, about once in three years, shifts."""
    steps = rng.standard_normal(shape)
    return np.cumsum(np.where(np.abs(steps) > 2.7, 9.0 * size * steps, size * steps), axis=0)
