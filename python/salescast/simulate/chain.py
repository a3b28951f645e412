"""The made-up chain: its stores, its departments and when each series is sold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from salescast.simulate.arrays import Floats, Ints
from salescast.simulate.departments import DEPARTMENTS, DepartmentProfile
from salescast.simulate.random_streams import stream

REGION_CLIMATE = {"north": 7.0, "east": 11.0, "south": 18.0, "west": 14.0}
REGIONS = tuple(REGION_CLIMATE)
STORE_TYPES = {"A": (1.55, 15000), "B": (1.0, 9000), "C": (0.5, 3500)}


@dataclass(frozen=True)
class Chain:
    """Stores, departments and when each series is sold; weeks are positions in the calendar."""

    stores: list[str]
    departments: list[str]
    profiles: list[DepartmentProfile]
    store_type: list[str]
    region: Ints
    level: Floats
    opened_on: list[date]
    open_week: Ints
    close_week: Ints
    start_week: Ints
    end_week: Ints
    gap_week: Ints
    gap_weeks: Ints


def make_chain(stores: int, departments: int, weeks: int, seed: int, first: date) -> Chain:
    """Draw the stores, their departments and when each series starts, pauses and ends."""
    rng = stream(seed, "chain")
    # Whole years, so that a chain keeps its openings and closures when a week is added.
    span = weeks - weeks % 52 if weeks >= 52 else weeks

    names, profiles = _department_names(departments)
    width = max(2, len(str(stores)))
    types = rng.choice(list(STORE_TYPES), size=stores, p=[0.4, 0.4, 0.2])
    store_level = np.array([STORE_TYPES[str(kind)][0] for kind in types])
    store_level = store_level * np.exp(rng.normal(0.0, 0.18, stores))
    base = np.array([profile.weekly_sales for profile in profiles])
    series_level = np.exp(rng.normal(0.0, 0.25, (stores, departments)))
    age_days = rng.integers(400, 12000, stores)

    special = rng.permutation(stores)
    n_special = -(-stores // 16) if stores >= 4 else 0
    closing, opening = special[:n_special], special[n_special : 2 * n_special]
    open_week = np.zeros(stores, dtype=np.int64)
    close_week = np.full(stores, np.iinfo(np.int32).max, dtype=np.int64)
    open_week[opening] = (span * rng.uniform(0.2, 0.5, n_special)).astype(np.int64)
    close_week[closing] = (span * rng.uniform(0.6, 0.85, n_special)).astype(np.int64)
    opened_on = [first - timedelta(days=int(age)) for age in age_days]
    for store in opening:
        opened_on[store] = first + timedelta(weeks=int(open_week[store]))

    shape = (stores, departments)
    start = np.broadcast_to(open_week[:, None], shape).copy().ravel()
    stop = np.broadcast_to(close_week[:, None], shape).copy().ravel()
    gap = np.zeros(stores * departments, dtype=np.int64)
    gap_weeks = np.zeros(stores * departments, dtype=np.int64)
    # Openings and closures of a store stay its only ones, so that each kind can be told apart.
    ordinary = np.ones(shape, dtype=bool)
    ordinary[np.concatenate([closing, opening])] = False
    order = rng.permutation(np.flatnonzero(ordinary))
    late, ended, short, new, gappy = _take(order, (0.06, 0.04, 0.015, 0.015, 0.05))
    start[late] = (span * rng.uniform(0.1, 0.8, len(late))).astype(np.int64)
    stop[ended] = (span * rng.uniform(0.4, 0.9, len(ended))).astype(np.int64)
    start[short] = (span * rng.uniform(0.2, 0.8, len(short))).astype(np.int64)
    stop[short] = start[short] + rng.integers(4, 10, len(short))
    start[new] = span - rng.integers(1, 5, len(new))
    gap[gappy] = (span * rng.uniform(0.2, 0.85, len(gappy))).astype(np.int64)
    gap_weeks[gappy] = rng.integers(2, 7, len(gappy))

    return Chain(
        stores=[f"S{number:0{width}d}" for number in range(1, stores + 1)],
        departments=names,
        profiles=profiles,
        store_type=[str(kind) for kind in types],
        region=rng.integers(0, len(REGIONS), stores),
        level=store_level[:, None] * series_level * base,
        opened_on=opened_on,
        open_week=open_week,
        close_week=close_week,
        start_week=start.reshape(shape),
        end_week=stop.reshape(shape),
        gap_week=gap.reshape(shape),
        gap_weeks=gap_weeks.reshape(shape),
    )


def _department_names(departments: int) -> tuple[list[str], list[DepartmentProfile]]:
    """The catalogue, repeated with a number where more departments are asked for."""
    catalogue = list(DEPARTMENTS)
    names, profiles = [], []
    for position in range(departments):
        turn, index = divmod(position, len(catalogue))
        names.append(catalogue[index] + (f"_{turn + 1}" if turn else ""))
        profiles.append(DEPARTMENTS[catalogue[index]])
    return names, profiles


def _take(order: Ints, shares: tuple[float, ...]) -> list[Ints]:
    """Cut disjoint pieces of the given shares off the front; at least one of each if it can be."""
    counts = [max(1, round(share * len(order))) if len(order) >= 12 else 0 for share in shares]
    return np.split(order, np.cumsum(counts))[: len(shares)]
