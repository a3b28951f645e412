"""Make seeds/retail_days.csv, days that move sales and are no public holidays, from rules.

Each row is one event of a country on its own date; `lead_days` counts the days right before it in
which sales are lifted. Public holidays come from the library `holidays` when a mapping is landed.
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
HEADER = ["country", "event_name", "event_date", "lead_days"]
SEED_FILE = Path(__file__).parents[1] / "seeds" / "retail_days.csv"
THURSDAY, SUNDAY = 3, 6

DateRule = Callable[[int], date | None]


@dataclass(frozen=True)
class Event:
    """An event of a country: its date in a year, or no date in years without it."""

    name: str
    on: DateRule
    lead_days: int = 0


def fixed(month: int, day: int) -> DateRule:
    """Return the rule of the same date every year."""
    return lambda year: date(year, month, day)


def nth(count: int, weekday: int, month: int) -> DateRule:
    """Return the rule of the count-th weekday of a month."""
    return lambda year: nth_weekday(year, month, weekday, count)


def from_easter(days: int) -> DateRule:
    """Return the rule of a number of days after Easter Sunday, negative for before."""
    return lambda year: easter_sunday(year) + timedelta(days=days)


def since(first_year: int, rule: DateRule) -> DateRule:
    """Return a rule without dates before a year."""
    return lambda year: rule(year) if year >= first_year else None


def black_friday(year: int) -> date:
    """Return the day after the fourth Thursday of November."""
    # The first of the month decides it: a Friday between the 23rd and the 29th.
    first = date(year, 11, 1)
    return first + timedelta(days=(THURSDAY - first.weekday()) % 7 + 22)


# Shops fill up in the week before Easter and Mother's Day.
EASTER = Event("easter", from_easter(0), lead_days=7)
VALENTINES_DAY = Event("valentines_day", fixed(2, 14))
HALLOWEEN = Event("halloween", fixed(10, 31))
MOTHERS_DAY_IN_MAY = Event("mothers_day", nth(2, SUNDAY, 5), lead_days=7)
FATHERS_DAY_IN_JUNE = Event("fathers_day", nth(3, SUNDAY, 6))
# Large chains of both countries joined in about 2013.
EUROPEAN_BLACK_FRIDAY = Event("black_friday", since(2013, black_friday))

COUNTRIES: dict[str, list[Event]] = {
    "US": [
        Event("super_bowl", super_bowl_sunday),
        VALENTINES_DAY,
        EASTER,
        MOTHERS_DAY_IN_MAY,
        FATHERS_DAY_IN_JUNE,
        HALLOWEEN,
        Event("black_friday", black_friday),
    ],
    "GB": [
        VALENTINES_DAY,
        Event("mothers_day", from_easter(-21), lead_days=7),
        EASTER,
        FATHERS_DAY_IN_JUNE,
        HALLOWEEN,
        Event("bonfire_night", fixed(11, 5)),
        EUROPEAN_BLACK_FRIDAY,
    ],
    "DE": [
        VALENTINES_DAY,
        Event("carnival_monday", from_easter(-48)),
        EASTER,
        MOTHERS_DAY_IN_MAY,
        EUROPEAN_BLACK_FRIDAY,
        Event("st_nicholas_day", fixed(12, 6)),
    ],
}


def rows() -> Iterator[list[str]]:
    """Yield the rows of the seed, ordered by country, date and name."""
    for country in sorted(COUNTRIES):
        events = COUNTRIES[country]
        dated = [(day, event) for event in events for year in YEARS if (day := event.on(year))]
        for day, event in sorted(dated, key=lambda pair: (pair[0], pair[1].name)):
            yield [country, event.name, day.isoformat(), str(event.lead_days)]


def render() -> str:
    """Return the text of the seed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows())
    return text.getvalue()


def main() -> None:
    """Write the seed, by default over the one of the project."""
    parser = argparse.ArgumentParser(description="Make the seed of retail days.")
    parser.add_argument("--output", type=Path, default=SEED_FILE, help="file to write")
    output: Path = parser.parse_args().output
    output.write_text(render(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
