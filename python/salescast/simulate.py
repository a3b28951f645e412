"""Deterministic demo data: a made-up retail chain in the canonical landing layout.

This is a demonstration, not evidence: every effect in the data was put there by the rules below,
so accuracy measured on it says that the product works and nothing about real sales.

The week is the unit of the rules. A series is its level times a seasonal factor of its
department, a drifting level, promotions and noise; the daily grain splits the same weeks over
their days. Random streams are kept apart by topic and run along time, so that a simulation of one
more week (`weeks` and `end` both one week further) repeats the history it extends.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from salescast.errors import UserError

__all__ = ["DEFAULT_END", "PLANNED_WEEKS", "SimulationSummary", "easter_sunday", "simulate"]

logger = logging.getLogger(__name__)

Grain = Literal["daily", "weekly"]
FileFormat = Literal["csv", "parquet"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DEFAULT_END = date(2026, 10, 31)
PLANNED_WEEKS = 60
SATURDAY = 5
CELLS_A_BLOCK = 6400
REGION_CLIMATE = {"north": 7.0, "east": 11.0, "south": 18.0, "west": 14.0}
REGIONS = tuple(REGION_CLIMATE)
STORE_TYPES = {"A": (1.55, 15000), "B": (1.0, 9000), "C": (0.5, 3500)}
SALES_COLUMNS = ["store", "department", "date", "sales", "is_holiday", "is_stocked_out"]


@dataclass(frozen=True)
class DepartmentProfile:
    """What makes a department's sales its own; effects are in logarithms of sales.

    Attributes:
        category: Group of departments for reports.
        weekly_sales: Money a week in a store of middle size.
        growth: Change a year.
        annual: Height of the yearly wave.
        peak_day: Day of the year on which the wave peaks.
        events: Height of the department's response to each event of `EVENT_SHAPES`.
        uplift: Response to a promotion.
        noise: Spread of a week in a series of middle size.
        weekend: Sunday's, Friday's and Saturday's gain over the other days.
        per_degree: Response to each degree above the weather usual in that week.
        returns: Share of rows in which returns exceed sales.
    """

    category: str
    weekly_sales: float
    growth: float
    annual: float
    peak_day: int
    events: Mapping[str, float] = field(default_factory=dict)
    uplift: float = 0.25
    noise: float = 0.06
    weekend: tuple[float, float, float] = (0.1, 0.25, 0.4)
    per_degree: float = 0.0
    returns: float = 0.0


# The first twelve are the default chain, so they cover the kinds of season there are.
DEPARTMENTS: dict[str, DepartmentProfile] = {
    "grocery": DepartmentProfile(
        "food", 46000, 0.02, 0.03, 350,
        {"thanksgiving": 0.35, "christmas": 0.25, "easter": 0.18, "super_bowl": 0.12},
        uplift=0.20, noise=0.040,
    ),
    "bakery": DepartmentProfile(
        "food", 14000, 0.03, 0.05, 340,
        {"thanksgiving": 0.5, "christmas": 0.35, "easter": 0.35, "valentines_day": 0.12},
        uplift=0.20, noise=0.05, weekend=(0.3, 0.2, 0.45),
    ),
    "toys": DepartmentProfile(
        "general", 7500, 0.0, 0.10, 345,
        {"christmas": 1.45, "black_friday": 0.9, "easter": 0.3, "new_year_slump": -0.35},
        uplift=0.38, noise=0.08, weekend=(0.3, 0.3, 0.6), returns=0.0004,
    ),
    "garden": DepartmentProfile(
        "home", 9000, 0.03, 0.85, 150,
        {"mothers_day": 0.35, "independence_day": 0.15, "easter": 0.22},
        uplift=0.32, noise=0.08, weekend=(0.4, 0.2, 0.65), per_degree=0.015,
    ),
    "clothing": DepartmentProfile(
        "fashion", 16000, -0.02, 0.08, 300,
        {"christmas": 0.6, "black_friday": 0.7, "back_to_school": 0.3, "new_year_slump": -0.25},
        uplift=0.36, noise=0.07, weekend=(0.3, 0.3, 0.6), returns=0.0008,
    ),
    "electronics": DepartmentProfile(
        "general", 18000, 0.05, 0.05, 340,
        {"black_friday": 1.25, "christmas": 0.85, "super_bowl": 0.2, "after_christmas": 0.15},
        uplift=0.40, noise=0.08, weekend=(0.2, 0.3, 0.5), returns=0.0008,
    ),
    "beverages": DepartmentProfile(
        "food", 17000, 0.03, 0.18, 195,
        {"independence_day": 0.35, "super_bowl": 0.25, "thanksgiving": 0.25, "christmas": 0.3},
        uplift=0.34, noise=0.05, per_degree=0.008,
    ),
    "sweets": DepartmentProfile(
        "food", 6500, 0.01, 0.06, 350,
        {"easter": 0.95, "halloween": 0.75, "valentines_day": 0.5, "christmas": 0.7},
        uplift=0.30, noise=0.06,
    ),
    "household": DepartmentProfile(
        "home", 15000, 0.02, 0.03, 110,
        {"christmas": -0.08, "new_year_slump": -0.05}, uplift=0.34, noise=0.05,
    ),
    "health_beauty": DepartmentProfile(
        "health", 12000, 0.04, 0.03, 30,
        {"mothers_day": 0.28, "christmas": 0.35, "valentines_day": 0.12}, uplift=0.28, noise=0.05,
    ),
    "jewellery": DepartmentProfile(
        "fashion", 2200, -0.03, 0.03, 340,
        {"christmas": 1.1, "valentines_day": 0.8, "mothers_day": 0.6, "black_friday": 0.4},
        uplift=0.30, noise=0.13, weekend=(0.2, 0.3, 0.6), returns=0.003,
    ),
    "stationery": DepartmentProfile(
        "general", 4200, -0.02, 0.05, 240,
        {"back_to_school": 0.95, "christmas": 0.4}, uplift=0.28, noise=0.08,
    ),
    "produce": DepartmentProfile(
        "food", 21000, 0.03, 0.08, 180,
        {"thanksgiving": 0.3, "independence_day": 0.15, "easter": 0.1}, uplift=0.2, noise=0.045,
    ),
    "meat": DepartmentProfile(
        "food", 19000, 0.02, 0.06, 190,
        {"thanksgiving": 0.4, "independence_day": 0.35, "easter": 0.35, "christmas": 0.3},
        uplift=0.28, noise=0.05,
    ),
    "frozen_food": DepartmentProfile(
        "food", 11000, 0.02, 0.14, 195, {"thanksgiving": 0.2}, uplift=0.3, noise=0.05,
        per_degree=0.005,
    ),
    "dairy": DepartmentProfile(
        "food", 16000, 0.01, 0.03, 350, {"christmas": 0.2, "easter": 0.15}, uplift=0.18, noise=0.04,
    ),
    "pets": DepartmentProfile(
        "home", 8000, 0.05, 0.02, 20, {"christmas": 0.1}, uplift=0.24, noise=0.05,
    ),
    "baby": DepartmentProfile(
        "health", 7000, -0.03, 0.02, 200, {"black_friday": 0.15}, uplift=0.34, noise=0.06,
    ),
    "sports": DepartmentProfile(
        "general", 6000, 0.02, 0.28, 160,
        {"christmas": 0.6, "black_friday": 0.4}, uplift=0.32, noise=0.08, returns=0.0008,
    ),
    "books": DepartmentProfile(
        "general", 3000, -0.05, 0.05, 330,
        {"christmas": 0.8, "back_to_school": 0.3}, uplift=0.22, noise=0.1, returns=0.001,
    ),
    "automotive": DepartmentProfile(
        "general", 5500, 0.01, 0.1, 170, {"black_friday": 0.2}, uplift=0.26, noise=0.08,
    ),
    "hardware": DepartmentProfile(
        "home", 7000, 0.02, 0.3, 160,
        {"fathers_day": 0.35, "black_friday": 0.3}, uplift=0.28, noise=0.07,
    ),
    "home_decor": DepartmentProfile(
        "home", 6500, 0.0, 0.08, 310,
        {"christmas": 0.65, "halloween": 0.3, "easter": 0.12, "new_year_slump": -0.2},
        uplift=0.36, noise=0.08, returns=0.0008,
    ),
    "shoes": DepartmentProfile(
        "fashion", 5500, 0.0, 0.15, 270,
        {"back_to_school": 0.45, "black_friday": 0.45, "christmas": 0.3}, uplift=0.36, noise=0.09,
        returns=0.001,
    ),
}  # fmt: skip

# Response curves: (days before the event, height); linear between the points and none outside.
EVENT_SHAPES: dict[str, tuple[tuple[int, float], ...]] = {
    "super_bowl": ((5, 0.0), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "valentines_day": ((8, 0.0), (1, 1.0), (0, 1.0), (-1, 0.0)),
    "easter": ((12, 0.0), (6, 0.6), (1, 1.0), (0, 0.1), (-1, 0.0)),
    "mothers_day": ((8, 0.0), (4, 0.6), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "fathers_day": ((8, 0.0), (4, 0.6), (1, 1.0), (0, 0.8), (-1, 0.0)),
    "independence_day": ((7, 0.0), (3, 0.8), (1, 1.0), (0, 0.6), (-1, 0.0)),
    "back_to_school": ((40, 0.0), (12, 1.0), (-5, 0.9), (-30, 0.0)),
    "halloween": ((20, 0.0), (7, 0.6), (1, 1.0), (0, 0.9), (-1, 0.0)),
    "thanksgiving": ((9, 0.0), (4, 0.7), (1, 1.2), (0, 0.2), (-1, 0.0)),
    "black_friday": ((2, 0.0), (1, 0.2), (0, 1.3), (-1, 0.8), (-2, 0.5), (-4, 0.0)),
    "christmas": ((34, 0.0), (20, 0.35), (10, 0.75), (4, 1.1), (1, 1.0), (0, 0.0)),
    "after_christmas": ((0, 0.0), (-1, 1.0), (-6, 0.6), (-8, 0.0)),
    "new_year_slump": ((-6, 0.0), (-8, 1.0), (-22, 0.8), (-45, 0.0)),
}


@dataclass(frozen=True)
class SimulationSummary:
    """What was written and where.

    Attributes:
        folder: Folder that holds the files.
        files: The files in the order sales, related, stores, departments.
        grain: `daily` or `weekly`.
        first_date: First day covered by sales.
        end_date: Last day covered by sales, a Saturday.
        planned_until: Last day for which promotions are planned.
        n_series: Series with at least one row of sales.
        n_rows: Rows of sales, defects included.
        defects: Number of defective rows by kind; empty without defects.
    """

    folder: Path
    files: tuple[Path, ...]
    grain: Grain
    first_date: date
    end_date: date
    planned_until: date
    n_series: int
    n_rows: int
    defects: Mapping[str, int]


@dataclass(frozen=True)
class _Calendar:
    """Days from the first day of sales to the last planned one, and what is common to them.

    Attributes:
        days: First day of sales to last planned one, whole weeks, of shape (days,).
        n_sales_weeks: Weeks of sales; the remaining weeks are planned only.
        is_holiday: Public holidays, of shape (days,).
        day_factors: Expected sales of a day as a share of a week's level, (days, departments).
        price_index: Consumer prices, 100 at the start, of shape (days, regions).
    """

    days: npt.NDArray[np.datetime64]
    n_sales_weeks: int
    is_holiday: Bools
    day_factors: Floats
    price_index: Floats


@dataclass(frozen=True)
class _Chain:
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


@dataclass(frozen=True)
class _Block:
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


def simulate(
    out: Path,
    *,
    stores: int = 12,
    departments: int = 12,
    weeks: int = 160,
    seed: int = 7,
    end: date | None = None,
    grain: Grain = "daily",
    defects: bool = True,
    file_format: FileFormat = "csv",
) -> SimulationSummary:
    """Write a made-up chain's sales, related series, stores and departments into a folder.

    The same arguments give the same bytes. Weeks run from Sunday to Saturday. In `related.csv`
    the promotions of the next `PLANNED_WEEKS` weeks are known; temperature and price index are
    blank after the last day of sales.

    Args:
        out: Folder to write to; made if it does not exist. Files of the same name are replaced.
        stores: Number of stores.
        departments: Number of departments of a store.
        weeks: Weeks of sales.
        seed: Seed of all random streams.
        end: Sales end on the last Saturday up to this day; `DEFAULT_END` if not given.
        grain: One row a day, or one a week named by its last day.
        defects: Add up to 20 rows that a quarantine should catch. Parquet has typed columns, so
            text in place of a number or a date is left out there.
        file_format: `csv` writes `sales.csv.gz`, `parquet` writes `sales.parquet`.

    Returns:
        What was written.

    Raises:
        UserError: If an argument is out of range or the folder holds sales in the other format.
    """
    _check_arguments(stores, departments, weeks, seed, grain, file_format)
    out.mkdir(parents=True, exist_ok=True)
    sales_file, other_file = out / "sales.csv.gz", out / "sales.parquet"
    if file_format == "parquet":
        sales_file, other_file = other_file, sales_file
    if other_file.exists():
        raise UserError(
            f"The folder already holds sales as {other_file.name}.",
            where=str(out),
            fix=f"Choose an empty folder or delete {other_file.name}.",
        )

    last = end or DEFAULT_END
    last -= timedelta(days=(last.weekday() - SATURDAY) % 7)
    first = last - timedelta(days=7 * weeks - 1)
    chain = _make_chain(stores, departments, weeks, seed, first)
    calendar = _make_calendar(first, weeks, chain.profiles, seed)

    files = (sales_file, out / "related.csv", out / "stores.csv", out / "departments.csv")
    n_rows = n_series = 0
    injected: dict[str, int] = {}
    writer = _write_csv_sales if file_format == "csv" else _write_parquet_sales
    with writer(sales_file) as sink, _writing(files[1]) as related_stream:
        for block in _blocks(chain, calendar, seed):
            is_first = block.number == 0
            sales = _sales_table(chain, calendar, block, seed, grain)
            n_series += _count_series(sales)
            if is_first and defects:
                sales, broken = _inject_defects(sales, chain, file_format, seed)
                injected = {kind: len(rows) for kind, rows in broken.items()}
                sink.hold(broken)
            sink.write(sales)
            n_rows += sales.num_rows
            related = _related_table(chain, calendar, block, seed, grain)
            _write_csv_table(related, related_stream, include_header=is_first)
    _write_dimension(_stores_table(chain, first), files[2])
    _write_dimension(_departments_table(chain), files[3])

    summary = SimulationSummary(
        folder=out,
        files=files,
        grain=grain,
        first_date=first,
        end_date=last,
        planned_until=last + timedelta(weeks=PLANNED_WEEKS),
        n_series=n_series,
        n_rows=n_rows + sum(injected.values()),
        defects=injected,
    )
    logger.info("simulated %s rows of %s series into %s", summary.n_rows, n_series, out)
    return summary


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a Gregorian year, by the anonymous Gregorian algorithm."""
    century, year_of_century = divmod(year, 100)
    golden = year % 19
    moon = (
        19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15
    ) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (year_of_century // 4) - moon - year_of_century % 4) % 7
    shift = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def _check_arguments(
    stores: int, departments: int, weeks: int, seed: int, grain: str, file_format: str
) -> None:
    limits = {"stores": (stores, 1), "departments": (departments, 1), "weeks": (weeks, 8)}
    limits["seed"] = (seed, 0)
    for name, (value, least) in limits.items():
        if value < least:
            raise UserError(
                f"{name} must be at least {least}, got {value}.",
                where=f"simulate: {name}",
                fix=f"Give {name} of {least} or more.",
            )
    choices = {
        "grain": (grain, get_args(Grain)),
        "file_format": (file_format, get_args(FileFormat)),
    }
    for name, (text, allowed) in choices.items():
        if text not in allowed:
            raise UserError(
                f"{name} {text!r} is not known.",
                where=f"simulate: {name}",
                fix=f"Use one of: {', '.join(allowed)}.",
            )


def _stream(seed: int, topic: str, block: int = 0) -> np.random.Generator:
    """One stream a topic and block, so that one more draw in a topic moves no other."""
    key = [seed, block, *topic.encode()]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


# --- the chain ------------------------------------------------------------------------------------


def _make_chain(stores: int, departments: int, weeks: int, seed: int, first: date) -> _Chain:
    rng = _stream(seed, "chain")
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

    return _Chain(
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


# --- calendar effects -----------------------------------------------------------------------------


def _make_calendar(
    first: date, weeks: int, profiles: list[DepartmentProfile], seed: int
) -> _Calendar:
    days = np.datetime64(first, "D") + np.arange(7 * (weeks + PLANNED_WEEKS))
    years = range(first.year - 1, first.year + len(days) // 365 + 3)
    return _Calendar(
        days=days,
        n_sales_weeks=weeks,
        is_holiday=_holidays(days, years),
        day_factors=_day_factors(days, years, profiles),
        price_index=_price_index(days, seed),
    )


def _by_week(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Days as weeks of seven: (days, ...) to (weeks, 7, ...)."""
    return values.reshape(len(values) // 7, 7, *values.shape[1:])


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _event_dates(year: int) -> dict[str, date]:
    thanksgiving = _nth_weekday(year, 11, 3, 4)
    return {
        "super_bowl": _nth_weekday(year, 2, 6, 1 if year <= 2021 else 2),
        "valentines_day": date(year, 2, 14),
        "easter": easter_sunday(year),
        "mothers_day": _nth_weekday(year, 5, 6, 2),
        "fathers_day": _nth_weekday(year, 6, 6, 3),
        "independence_day": date(year, 7, 4),
        "back_to_school": date(year, 8, 15),
        "halloween": date(year, 10, 31),
        "thanksgiving": thanksgiving,
        "black_friday": thanksgiving + timedelta(days=1),
        "christmas": date(year, 12, 25),
        "after_christmas": date(year, 12, 25),
        "new_year_slump": date(year, 12, 25),
    }


def _holidays(days: npt.NDArray[np.datetime64], years: range) -> Bools:
    dates: list[date] = []
    for year in years:
        memorial = _nth_weekday(year, 6, 0, 1) - timedelta(days=7)
        dates += [date(year, 1, 1), memorial, date(year, 7, 4), _nth_weekday(year, 9, 0, 1)]
        dates += [_nth_weekday(year, 11, 3, 4), date(year, 12, 25)]
    return np.isin(days, np.array(dates, dtype="datetime64[D]"))


def _day_factors(
    days: npt.NDArray[np.datetime64], years: range, profiles: list[DepartmentProfile]
) -> Floats:
    curves = {name: np.zeros(len(days)) for name in EVENT_SHAPES}
    for year in years:
        for name, event_date in _event_dates(year).items():
            # np.interp needs rising positions: days after the event instead of days before it.
            position = (days - np.datetime64(event_date, "D")).astype(np.int64)
            after = [-before for before, _ in EVENT_SHAPES[name]]
            heights = [height for _, height in EVENT_SHAPES[name]]
            curve = np.interp(position, after, heights, left=0.0, right=0.0)
            curves[name] = np.maximum(curves[name], curve)

    day_of_year = (days - days.astype("datetime64[Y]")).astype(np.int64)
    elapsed_years = np.arange(len(days)) / 365.25
    weekday = np.arange(len(days)) % 7
    is_christmas = (days.astype("datetime64[M]").astype(np.int64) % 12 == 11) & (
        (days - days.astype("datetime64[M]")).astype(np.int64) == 24
    )
    columns = []
    for profile in profiles:
        log = profile.growth * elapsed_years
        log += profile.annual * np.cos(2 * np.pi * (day_of_year - profile.peak_day) / 365.25)
        for name, height in profile.events.items():
            log += height * curves[name]
        sunday, friday, saturday = profile.weekend
        by_weekday = np.exp([sunday, 0.0, -0.03, -0.02, 0.0, friday, saturday])
        columns.append(np.exp(log) * (by_weekday / by_weekday.sum())[weekday])
    factors = np.stack(columns, axis=1)
    factors[is_christmas] = 0.0
    return factors


def _price_index(days: npt.NDArray[np.datetime64], seed: int) -> Floats:
    """Prices change on the first of a month only."""
    months = days.astype("datetime64[M]").astype(np.int64)
    months -= months[0]
    steps = _stream(seed, "price index").normal(0.0022, 0.0015, (months[-1] + 1, len(REGIONS)))
    steps[0] = 0.0
    index: Floats = (100.0 * np.exp(np.cumsum(steps, axis=0)))[months]
    return index


# --- weeks ----------------------------------------------------------------------------------------


def _blocks(chain: _Chain, calendar: _Calendar, seed: int) -> Iterator[_Block]:
    """Simulate the chain in blocks of stores, so that memory does not grow with the chain."""
    n_weeks, n_departments = len(calendar.days) // 7, len(chain.departments)
    is_campaign = _stream(seed, "campaigns").random((n_weeks, 1)) < 0.07
    regional = _stream(seed, "regional campaigns").random((n_weeks, len(REGIONS)))
    is_campaign = is_campaign | (regional < 0.12)
    steps = _stream(seed, "departments").normal(0.0, 0.005, (n_weeks, n_departments))
    expected = np.log(_by_week(calendar.day_factors).sum(axis=1)) + np.cumsum(steps, axis=0)
    log_price = np.log(_by_week(calendar.price_index).mean(axis=1) / 100.0)

    size = max(1, min(64, CELLS_A_BLOCK // n_departments))
    for number, begin in enumerate(range(0, len(chain.stores), size)):
        stores = np.arange(begin, min(begin + size, len(chain.stores)))
        region = chain.region[stores]
        yield _simulate_block(
            chain, seed, number, stores, expected, is_campaign[:, region], log_price[:, region]
        )


def _simulate_block(
    chain: _Chain,
    seed: int,
    number: int,
    stores: Ints,
    expected: Floats,
    is_campaign: Bools,
    log_price: Floats,
) -> _Block:
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

    breadth = _stream(seed, "breadth", number).uniform(0.75, 1.0, shape[:2])
    breadth = np.where(is_campaign, breadth, 0.04)
    is_promoted = _stream(seed, "promotions", number).random(shape) < breadth[:, :, None]
    is_stocked_out = _stream(seed, "stock", number).random(shape) < 0.003

    # Weather of a week drags on for two more.
    shocks = _stream(seed, "weather", number).normal(0.0, 2.4, shape[:2])
    anomaly = shocks.copy()
    anomaly[1:] += 0.6 * shocks[:-1]
    anomaly[2:] += 0.3 * shocks[:-2]

    # Each series amplifies or damps its department's season; the first year stands for its mean.
    season = _stream(seed, "season", number).normal(1.0, 0.1, shape[1:])
    middle = expected[:52].mean(axis=0)
    log = middle + (expected - middle)[:, None, :] * season
    log += _drift(_stream(seed, "series drift", number), shape, 0.0045)
    log += _drift(_stream(seed, "store drift", number), shape[:2], 0.003)[:, :, None]
    log += 0.6 * log_price[:, :, None]
    log += np.array([profile.uplift for profile in chain.profiles]) * is_promoted
    log += np.array([profile.per_degree for profile in chain.profiles]) * anomaly[:, :, None]
    # Small series are noisier: fewer customers average out less.
    spread = np.array([profile.noise for profile in chain.profiles]) * (level / 10000.0) ** -0.15
    log += spread * _stream(seed, "noise", number).standard_normal(shape)
    log += 0.015 * _stream(seed, "store noise", number).standard_normal(shape[:2])[:, :, None]

    sales = level * np.exp(log)
    lost = _stream(seed, "lost sales", number).uniform(0.2, 0.7, shape[1:])
    sales = np.where(is_stocked_out, sales * lost, sales)

    week = np.arange(weeks)[:, None, None]
    is_sold = (week >= chain.start_week[stores]) & (week < chain.end_week[stores])
    since_gap = week - chain.gap_week[stores]
    is_sold &= (since_gap < 0) | (since_gap >= chain.gap_weeks[stores])
    is_open: Bools = week >= chain.open_week[stores, None]
    is_open = is_open & (week < chain.close_week[stores, None])
    return _Block(
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


# --- tables ---------------------------------------------------------------------------------------


def _sales_table(
    chain: _Chain, calendar: _Calendar, block: _Block, seed: int, grain: Grain
) -> pa.Table:
    """Rows of sales of a block, ordered by store, department and date."""
    weeks = calendar.n_sales_weeks
    sales, is_sold, out = block.sales[:weeks], block.is_sold[:weeks], block.is_stocked_out[:weeks]
    if grain == "daily":
        factors = _by_week(calendar.day_factors)[:weeks, :, None, :]
        shape = (weeks, 7, *sales.shape[1:])
        noise = _stream(seed, "days", block.number).standard_normal(shape, dtype=np.float32)
        shares = factors * np.exp(0.12 * noise)
        shares /= shares.sum(axis=1, keepdims=True)
        sales = (sales[:, None] * shares).reshape(weeks * 7, *sales.shape[1:])
        is_sold, out = np.repeat(is_sold, 7, axis=0), np.repeat(out, 7, axis=0)
        dates, is_holiday = calendar.days[: weeks * 7], calendar.is_holiday[: weeks * 7]
    else:
        dates = calendar.days[6 : weeks * 7 : 7]
        is_holiday = np.any(_by_week(calendar.is_holiday)[:weeks], axis=1)

    luck = _stream(seed, f"{grain} rows", block.number).random(sales.shape)
    returns = np.array([profile.returns for profile in chain.profiles])
    sales = np.where(luck < returns, -0.05 * sales, sales)
    is_present = is_sold & (luck < (0.9998 if grain == "daily" else 0.999))

    # Order (store, department, date): time moves to the last axis.
    cells = np.flatnonzero(np.moveaxis(is_present, 0, 2).ravel())
    series, time = np.divmod(cells, len(dates))
    store, department = np.divmod(series, len(chain.departments))
    return pa.table(
        [
            pa.array(chain.stores).take(pa.array(block.stores[store])),
            pa.array(chain.departments).take(pa.array(department)),
            _dates(dates[time]),
            # Adding zero turns a rounded -0.0 into 0.0.
            pa.array(np.round(np.moveaxis(sales, 0, 2).ravel()[cells], 2) + 0.0),
            pa.array(is_holiday[time]),
            pa.array(np.moveaxis(out, 0, 2).ravel()[cells]),
        ],
        names=SALES_COLUMNS,
    )


def _related_table(
    chain: _Chain, calendar: _Calendar, block: _Block, seed: int, grain: Grain
) -> pa.Table:
    """Related series of the stores of a block; unknown values of the future are null."""
    per_week = 7 if grain == "daily" else 1
    stores = block.stores
    region = chain.region[stores]
    day_of_year = (calendar.days - calendar.days.astype("datetime64[Y]")).astype(np.int64)
    mean = np.array(list(REGION_CLIMATE.values()))[region]
    season = -np.cos(2 * np.pi * (day_of_year - 20) / 365.25)
    temperature = mean + 9.5 * season[:, None] + np.repeat(block.anomaly, 7, axis=0)
    rng = _stream(seed, "days of weather", block.number)
    temperature += rng.normal(0.0, 1.2, temperature.shape)
    prices = calendar.price_index[:, region]
    dates = calendar.days
    if grain == "weekly":
        temperature = _by_week(temperature).mean(axis=1)
        prices = _by_week(prices).mean(axis=1)
        dates = dates[6::7]

    n_times = len(dates)
    is_future = np.tile(np.arange(n_times) >= calendar.n_sales_weeks * per_week, len(stores))
    promotion = np.repeat(block.promotion, per_week, axis=0)
    return pa.table(
        {
            "store": pa.array(chain.stores).take(pa.array(np.repeat(stores, n_times))),
            "date": _dates(np.tile(dates, len(stores))),
            "promotion": pa.array(np.round(promotion.T.ravel(), 4)),
            "temperature": pa.array(np.round(temperature.T.ravel(), 1), mask=is_future),
            "price_index": pa.array(np.round(prices.T.ravel(), 2), mask=is_future),
        }
    )


def _stores_table(chain: _Chain, first: date) -> pa.Table:
    is_closed = chain.close_week < np.iinfo(np.int32).max
    closed_on = [
        first + timedelta(weeks=int(week), days=-1) if closed else None
        for week, closed in zip(chain.close_week, is_closed, strict=True)
    ]
    sizes = np.array([STORE_TYPES[kind][1] for kind in chain.store_type])
    sizes = sizes * chain.level.mean(axis=1) ** 0.2
    sizes = sizes / np.mean([profile.weekly_sales for profile in chain.profiles]) ** 0.2
    return pa.table(
        {
            "store": chain.stores,
            "type": chain.store_type,
            "size": pa.array(np.round(sizes, -1).astype(np.int64)),
            "region": [REGIONS[region] for region in chain.region],
            "opened_on": pa.array(chain.opened_on, pa.date32()),
            "closed_on": pa.array(closed_on, pa.date32()),
        }
    )


def _departments_table(chain: _Chain) -> pa.Table:
    return pa.table(
        {
            "department": chain.departments,
            "name": [name.replace("_", " ").capitalize() for name in chain.departments],
            "category": [profile.category for profile in chain.profiles],
        }
    )


def _dates(days: npt.NDArray[np.datetime64]) -> pa.Array:
    return pa.array(days.astype(np.int64).astype(np.int32)).cast(pa.date32())


def _count_series(sales: pa.Table) -> int:
    return int(sales.group_by(["store", "department"]).aggregate([]).num_rows)


# --- defects --------------------------------------------------------------------------------------


def _inject_defects(
    sales: pa.Table, chain: _Chain, file_format: FileFormat, seed: int
) -> tuple[pa.Table, dict[str, list[list[str]]]]:
    """Take some rows out of early weeks and return them broken, with rows that should not be.

    Returns:
        The table without the rows that were broken, and the defective rows as text by kind.
    """
    earliest = sales["date"].to_numpy().min()
    early = np.flatnonzero(sales["date"].to_numpy() < earliest + np.timedelta64(7 * 40, "D"))
    n_needed = 14
    if len(early) < n_needed:
        return sales, {}
    picked = _stream(seed, "defects").choice(early, size=n_needed, replace=False)
    rows = [_as_text(row) for row in sales.take(pa.array(picked)).to_pylist()]
    year = rows[0][2][:4]
    unknown = f"S{'9' * (len(chain.stores[-1]) - 1)}X"

    # The kinds that stand in place of a real row come first: those rows leave the table.
    broken: dict[str, list[list[str]]] = {
        "blank_sales": [_replaced(row, 3, "") for row in rows[0:2]],
        "text_in_sales": [
            _replaced(row, 3, text)
            for row, text in zip(rows[2:5], ["closed", "12.3.4", "see note"], strict=True)
        ],
        "impossible_date": [
            _replaced(row, 2, text)
            for row, text in zip(rows[5:8], [f"{year}-02-30", f"{year}-13-01", "soon"], strict=True)
        ],
        "same_row_twice": rows[8:10],
        "other_sales_for_a_key": [_replaced(row, 3, "1.0") for row in rows[10:12]],
        "unknown_store": [_replaced(row, 0, unknown) for row in rows[12:14]],
        "blank_store": [_replaced(rows[12], 0, "")],
        "blank_department": [_replaced(rows[13], 1, "")],
    }
    n_taken = 8
    if file_format == "parquet":
        del broken["text_in_sales"], broken["impossible_date"]
        n_taken = 2
    is_kept = np.ones(sales.num_rows, dtype=bool)
    is_kept[picked[:n_taken]] = False
    return sales.filter(pa.array(is_kept)), broken


def _as_text(row: Mapping[str, object]) -> list[str]:
    """A row as the CSV writer writes it: true and false in lower case, no zero decimals."""
    values = [row[name] for name in SALES_COLUMNS]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return [text.removesuffix(".0") for text in texts]


def _replaced(row: list[str], position: int, text: str) -> list[str]:
    return [*row[:position], text, *row[position + 1 :]]


# --- files ----------------------------------------------------------------------------------------


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder and rename it once the block has ended well."""
    partial = path.with_name(f".{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    with _replacing(path) as partial, partial.open("wb") as stream:
        yield stream


def _write_csv_table(
    table: pa.Table, stream: IO[bytes] | gzip.GzipFile, *, include_header: bool
) -> None:
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    if include_header:
        stream.write((",".join(table.column_names) + "\n").encode())
    pa_csv.write_csv(table, stream, options)


def _write_dimension(table: pa.Table, path: Path) -> None:
    with _writing(path) as stream:
        _write_csv_table(table, stream, include_header=True)


class _CsvSales:
    """Sales as text; defective rows follow at the end of the file."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._n_tables = 0
        self._held: list[list[str]] = []

    def hold(self, broken: Mapping[str, list[list[str]]]) -> None:
        self._held = [row for rows in broken.values() for row in rows]

    def write(self, table: pa.Table) -> None:
        _write_csv_table(table, self._stream, include_header=self._n_tables == 0)
        self._n_tables += 1

    def finish(self) -> None:
        self._stream.write("".join(",".join(row) + "\n" for row in self._held).encode())


class _ParquetSales:
    """Sales as typed columns; defective rows follow at the end of the file."""

    def __init__(self, path: Path) -> None:
        types = [pa.string(), pa.string(), pa.date32(), pa.float64(), pa.bool_(), pa.bool_()]
        self._schema = pa.schema(list(zip(SALES_COLUMNS, types, strict=True)))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._held: list[list[str]] = []

    def hold(self, broken: Mapping[str, list[list[str]]]) -> None:
        self._held = [row for rows in broken.values() for row in rows]

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def finish(self) -> None:
        if self._held:
            columns = zip(*self._held, strict=True)
            texts = [pa.array([text or None for text in column]) for column in columns]
            self._writer.write_table(pa.table(texts, names=SALES_COLUMNS).cast(self._schema))
        self._writer.close()


@contextmanager
def _write_csv_sales(path: Path) -> Iterator[_CsvSales]:
    # Neither a name nor a time in the gzip header: the same rows are the same bytes.
    with (
        _writing(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0) as stream,
    ):
        sink = _CsvSales(stream)
        yield sink
        sink.finish()


@contextmanager
def _write_parquet_sales(path: Path) -> Iterator[_ParquetSales]:
    with _replacing(path) as partial:
        sink = _ParquetSales(partial)
        yield sink
        sink.finish()
