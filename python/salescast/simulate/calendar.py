"""What is common to all stores: days, holidays, seasons of the departments and prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from salescast.simulate.arrays import Bools, Floats
from salescast.simulate.chain import REGIONS
from salescast.simulate.departments import EVENT_SHAPES, DepartmentProfile
from salescast.simulate.event_dates import event_dates, nth_weekday
from salescast.simulate.random_streams import stream

PLANNED_WEEKS = 60


@dataclass(frozen=True)
class Calendar:
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


def make_calendar(
    first: date, weeks: int, profiles: list[DepartmentProfile], seed: int
) -> Calendar:
    """Make the calendar of some weeks of sales and the weeks planned after them."""
    days = np.datetime64(first, "D") + np.arange(7 * (weeks + PLANNED_WEEKS))
    years = range(first.year - 1, first.year + len(days) // 365 + 3)
    return Calendar(
        days=days,
        n_sales_weeks=weeks,
        is_holiday=_holidays(days, years),
        day_factors=_day_factors(days, years, profiles),
        price_index=_price_index(days, seed),
    )


def _holidays(days: npt.NDArray[np.datetime64], years: range) -> Bools:
    dates: list[date] = []
    for year in years:
        memorial = nth_weekday(year, 6, 0, 1) - timedelta(days=7)
        dates += [date(year, 1, 1), memorial, date(year, 7, 4), nth_weekday(year, 9, 0, 1)]
        dates += [nth_weekday(year, 11, 3, 4), date(year, 12, 25)]
    return np.isin(days, np.array(dates, dtype="datetime64[D]"))


def _day_factors(
    days: npt.NDArray[np.datetime64], years: range, profiles: list[DepartmentProfile]
) -> Floats:
    curves = {name: np.zeros(len(days)) for name in EVENT_SHAPES}
    for year in years:
        for name, event_date in event_dates(year).items():
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
    steps = stream(seed, "price index").normal(0.0022, 0.0015, (months[-1] + 1, len(REGIONS)))
    steps[0] = 0.0
    index: Floats = (100.0 * np.exp(np.cumsum(steps, axis=0)))[months]
    return index
