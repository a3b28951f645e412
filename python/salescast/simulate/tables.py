"""The simulation as tables of the canonical landing layout."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from salescast.simulate.arrays import by_week
from salescast.simulate.calendar import Calendar
from salescast.simulate.chain import REGION_CLIMATE, REGIONS, STORE_TYPES, Chain
from salescast.simulate.demand import Block
from salescast.simulate.random_streams import stream

Grain = Literal["daily", "weekly"]
SALES_SCHEMA = pa.schema(
    {
        "store": pa.string(),
        "department": pa.string(),
        "date": pa.date32(),
        "sales": pa.float64(),
        "is_holiday": pa.bool_(),
        "is_stocked_out": pa.bool_(),
    }
)
SALES_COLUMNS = SALES_SCHEMA.names


def sales_table(
    chain: Chain, calendar: Calendar, block: Block, seed: int, grain: Grain
) -> pa.Table:
    """Rows of sales of a block, ordered by store, department and date."""
    weeks = calendar.n_sales_weeks
    sales, is_sold, out = block.sales[:weeks], block.is_sold[:weeks], block.is_stocked_out[:weeks]
    if grain == "daily":
        factors = by_week(calendar.day_factors)[:weeks, :, None, :]
        shape = (weeks, 7, *sales.shape[1:])
        noise = stream(seed, "days", block.number).standard_normal(shape, dtype=np.float32)
        shares = factors * np.exp(0.12 * noise)
        shares /= shares.sum(axis=1, keepdims=True)
        sales = (sales[:, None] * shares).reshape(weeks * 7, *sales.shape[1:])
        is_sold, out = np.repeat(is_sold, 7, axis=0), np.repeat(out, 7, axis=0)
        dates, is_holiday = calendar.days[: weeks * 7], calendar.is_holiday[: weeks * 7]
    else:
        dates = calendar.days[6 : weeks * 7 : 7]
        is_holiday = np.any(by_week(calendar.is_holiday)[:weeks], axis=1)

    luck = stream(seed, f"{grain} rows", block.number).random(sales.shape)
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


def related_table(
    chain: Chain, calendar: Calendar, block: Block, seed: int, grain: Grain
) -> pa.Table:
    """Related series of the stores of a block; unknown values of the future are null."""
    per_week = 7 if grain == "daily" else 1
    stores = block.stores
    region = chain.region[stores]
    day_of_year = (calendar.days - calendar.days.astype("datetime64[Y]")).astype(np.int64)
    mean = np.array(list(REGION_CLIMATE.values()))[region]
    season = -np.cos(2 * np.pi * (day_of_year - 20) / 365.25)
    temperature = mean + 9.5 * season[:, None] + np.repeat(block.anomaly, 7, axis=0)
    rng = stream(seed, "days of weather", block.number)
    temperature += rng.normal(0.0, 1.2, temperature.shape)
    prices = calendar.price_index[:, region]
    dates = calendar.days
    if grain == "weekly":
        temperature = by_week(temperature).mean(axis=1)
        prices = by_week(prices).mean(axis=1)
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


def stores_table(chain: Chain, first: date) -> pa.Table:
    """One row a store; `first` is the first day of sales."""
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


def departments_table(chain: Chain) -> pa.Table:
    """One row a department."""
    return pa.table(
        {
            "department": chain.departments,
            "name": [name.replace("_", " ").capitalize() for name in chain.departments],
            "category": [profile.category for profile in chain.profiles],
        }
    )


def _dates(days: npt.NDArray[np.datetime64]) -> pa.Array:
    return pa.array(days.astype(np.int64).astype(np.int32)).cast(pa.date32())


def count_series(sales: pa.Table) -> int:
    """Number of series that have a row of sales."""
    return int(sales.group_by(["store", "department"]).aggregate([]).num_rows)
