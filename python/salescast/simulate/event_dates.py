"""Dates of the events of a year, by rule."""

from __future__ import annotations

from datetime import date, timedelta


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


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the nth weekday (0 is Monday) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def super_bowl_sunday(year: int) -> date:
    """Return the first Sunday of February, from 2022 (a season one week longer) the second."""
    return nth_weekday(year, 2, 6, 1 if year <= 2021 else 2)


def event_dates(year: int) -> dict[str, date]:
    """Return the date of each event that departments respond to."""
    thanksgiving = nth_weekday(year, 11, 3, 4)
    return {
        "super_bowl": super_bowl_sunday(year),
        "valentines_day": date(year, 2, 14),
        "easter": easter_sunday(year),
        "mothers_day": nth_weekday(year, 5, 6, 2),
        "fathers_day": nth_weekday(year, 6, 6, 3),
        "independence_day": date(year, 7, 4),
        "back_to_school": date(year, 8, 15),
        "halloween": date(year, 10, 31),
        "thanksgiving": thanksgiving,
        "black_friday": thanksgiving + timedelta(days=1),
        "christmas": date(year, 12, 25),
        "after_christmas": date(year, 12, 25),
        "new_year_slump": date(year, 12, 25),
    }
