"""Make seeds/calendar_events.csv, the default calendar events by region, from rules.

Each row is one event on its own date (never the substitute day of a holiday that falls on a
weekend). `lead_days` counts the days right before the event in which sales are lifted. `is_holiday`
says whether the date is a public holiday in all of the region; GB is England and Wales.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from salescast.simulate.event_dates import easter_sunday, nth_weekday, super_bowl_sunday

YEARS = range(2005, 2036)
HEADER = ["region", "event_name", "event_date", "lead_days", "is_holiday"]
SEED_FILE = Path(__file__).parents[1] / "seeds" / "calendar_events.csv"
MONDAY, THURSDAY, SUNDAY = 0, 3, 6

DateRule = Callable[[int], date | None]


@dataclass(frozen=True)
class Event:
    """An event of a region: its date in a year, or no date in years without it."""

    name: str
    on: DateRule
    lead_days: int = 0
    is_holiday: bool = False


def fixed(month: int, day: int) -> DateRule:
    """Return the rule of the same date every year."""
    return lambda year: date(year, month, day)


def nth(count: int, weekday: int, month: int) -> DateRule:
    """Return the rule of the count-th weekday of a month."""
    return lambda year: nth_weekday(year, month, weekday, count)


def last(weekday: int, month: int) -> DateRule:
    """Return the rule of the last weekday of a month."""

    def rule(year: int) -> date:
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        return end - timedelta(days=(end.weekday() - weekday) % 7)

    return rule


def from_easter(days: int) -> DateRule:
    """Return the rule of a number of days after Easter Sunday, negative for before."""
    return lambda year: easter_sunday(year) + timedelta(days=days)


def moved(rule: DateRule, exceptions: dict[int, date]) -> DateRule:
    """Return a rule with other dates in some years."""
    return lambda year: exceptions.get(year) or rule(year)


def since(first_year: int, rule: DateRule) -> DateRule:
    """Return a rule without dates before a year."""
    return lambda year: rule(year) if year >= first_year else None


def only(*dates: date) -> DateRule:
    """Return the rule of dates that do not recur; at most one a year."""
    by_year = {day.year: day for day in dates}
    return by_year.get


def black_friday(year: int) -> date:
    """Return the day after the fourth Thursday of November."""
    # The first of the month decides it: a Friday between the 23rd and the 29th.
    first = date(year, 11, 1)
    return first + timedelta(days=(THURSDAY - first.weekday()) % 7 + 22)


# Shops fill up in the week before Easter and Mother's Day, and through all of Advent.
EASTER = Event("easter", from_easter(0), lead_days=7)
CHRISTMAS = Event("christmas", fixed(12, 25), lead_days=24, is_holiday=True)
NEW_YEAR = Event("new_year", fixed(1, 1), is_holiday=True)
VALENTINES_DAY = Event("valentines_day", fixed(2, 14))
HALLOWEEN = Event("halloween", fixed(10, 31))
MOTHERS_DAY_IN_MAY = Event("mothers_day", nth(2, SUNDAY, 5), lead_days=7)
FATHERS_DAY_IN_JUNE = Event("fathers_day", nth(3, SUNDAY, 6))
GOOD_FRIDAY = Event("good_friday", from_easter(-2), is_holiday=True)
EASTER_MONDAY = Event("easter_monday", from_easter(1), is_holiday=True)
# Large chains of both countries joined in about 2013.
EUROPEAN_BLACK_FRIDAY = Event("black_friday", since(2013, black_friday))

REGIONS: dict[str, list[Event]] = {
    "US": [
        NEW_YEAR,
        Event("super_bowl", super_bowl_sunday),
        VALENTINES_DAY,
        EASTER,
        MOTHERS_DAY_IN_MAY,
        Event("memorial_day", last(MONDAY, 5), is_holiday=True),
        FATHERS_DAY_IN_JUNE,
        Event("independence_day", fixed(7, 4), is_holiday=True),
        Event("labor_day", nth(1, MONDAY, 9), is_holiday=True),
        HALLOWEEN,
        Event("thanksgiving", nth(4, THURSDAY, 11), is_holiday=True),
        Event("black_friday", black_friday),
        CHRISTMAS,
    ],
    "GB": [
        NEW_YEAR,
        VALENTINES_DAY,
        Event("mothers_day", from_easter(-21), lead_days=7),
        GOOD_FRIDAY,
        EASTER,
        EASTER_MONDAY,
        # Moved to the 75th anniversary of the end of the war in Europe.
        Event(
            "early_may_bank_holiday",
            moved(nth(1, MONDAY, 5), {2020: date(2020, 5, 8)}),
            is_holiday=True,
        ),
        # Moved to make the long weekends of the jubilees.
        Event(
            "spring_bank_holiday",
            moved(last(MONDAY, 5), {2012: date(2012, 6, 4), 2022: date(2022, 6, 2)}),
            is_holiday=True,
        ),
        FATHERS_DAY_IN_JUNE,
        Event("summer_bank_holiday", last(MONDAY, 8), is_holiday=True),
        HALLOWEEN,
        Event("bonfire_night", fixed(11, 5)),
        EUROPEAN_BLACK_FRIDAY,
        CHRISTMAS,
        Event("boxing_day", fixed(12, 26), is_holiday=True),
        # Royal wedding, two jubilees, state funeral, coronation.
        Event(
            "special_holiday",
            only(date(2011, 4, 29), date(2012, 6, 5), date(2022, 6, 3), date(2023, 5, 8)),
            is_holiday=True,
        ),
        Event("special_holiday", only(date(2022, 9, 19)), is_holiday=True),
    ],
    "DE": [
        NEW_YEAR,
        VALENTINES_DAY,
        Event("carnival_monday", from_easter(-48)),
        GOOD_FRIDAY,
        EASTER,
        EASTER_MONDAY,
        Event("labour_day", fixed(5, 1), is_holiday=True),
        MOTHERS_DAY_IN_MAY,
        Event("ascension_day", from_easter(39), is_holiday=True),
        Event("whit_monday", from_easter(50), is_holiday=True),
        Event("german_unity_day", fixed(10, 3), is_holiday=True),
        EUROPEAN_BLACK_FRIDAY,
        Event("st_nicholas_day", fixed(12, 6)),
        CHRISTMAS,
        Event("second_christmas_day", fixed(12, 26), is_holiday=True),
        # Reformation Day was a holiday in all of Germany in its 500th year.
        Event("special_holiday", only(date(2017, 10, 31)), is_holiday=True),
    ],
}


def rows() -> Iterator[list[str]]:
    """Yield the rows of the seed, ordered by region, date and name."""
    for region in sorted(REGIONS):
        dated = [
            (day, event) for event in REGIONS[region] for year in YEARS if (day := event.on(year))
        ]
        for day, event in sorted(dated, key=lambda pair: (pair[0], pair[1].name)):
            is_holiday = str(event.is_holiday).lower()
            yield [region, event.name, day.isoformat(), str(event.lead_days), is_holiday]


def render() -> str:
    """Return the text of the seed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows())
    return text.getvalue()


def main() -> None:
    """Write the seed, by default over the one of the project."""
    parser = argparse.ArgumentParser(description="Make the seed of calendar events.")
    parser.add_argument("--output", type=Path, default=SEED_FILE, help="file to write")
    output: Path = parser.parse_args().output
    output.write_text(render(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
