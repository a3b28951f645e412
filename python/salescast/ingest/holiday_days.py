"""Public holidays of the mapping's calendar regions as rows of the settings, from `holidays`.

A region is a country (US) or a part of it (DE-BY), by the codes of ISO 3166. Names are the
library's English ones in small letters, some of them shorter; the days of a name are those of all
regions.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import holidays
from holidays.registry import COUNTRIES

from salescast.errors import UserError
from salescast.mapping import Mapping, SettingsRow

FIRST_YEAR = 1990
"""Sales of earlier years are rejected."""
YEARS_AHEAD = 3
"""More than the furthest horizon."""
LEAST_YEARS = 5
"""A holiday of fewer years is one of the special holidays."""
SPECIAL, OBSERVED = "special_holiday", "observed_holiday"

_SHORT_NAMES = {
    "christmas_day": "christmas",
    "new_years_day": "new_year",
    "thanksgiving_day": "thanksgiving",
}
# Shops fill up through all of Advent.
_LEAD_DAYS = {"christmas": 24}


def check_regions(mapping: Mapping) -> None:
    """Refuse regions that the library does not know.

    Raises:
        UserError: A region is unknown; the nearest names are told.
    """
    known = holidays.list_supported_countries(include_aliases=False)
    for region in mapping.calendar_region:
        country, _, part = region.partition("-")
        where = f"{mapping.path}: calendar_region"
        if country not in known:
            near = _near_countries(country)
            raise UserError(
                _told_unknown(region, near),
                where=where,
                fix="give two letters of a country, such as US, or a part of it, such as DE-BY",
            )
        if "-" in region and part not in known[country]:
            parts = [f"{country}-{each}" for each in known[country]]
            near = difflib.get_close_matches(region, parts, n=5, cutoff=0.5) or parts
            raise UserError(
                _told_unknown(region, near),
                where=where,
                fix=f"give {country}" + (f" or one of {', '.join(parts)}" if parts else ""),
            )


def holiday_rows(regions: Sequence[str], year: int) -> list[SettingsRow]:
    """Rows of the regions and of their holidays, up to some years after a year.

    A holiday is a row (holiday, name, day, lead days). Days in lieu of a holiday on a weekend are
    `observed_holiday`, and holidays of a few years `special_holiday`.
    """
    rows: list[SettingsRow] = []
    days: set[tuple[str, date]] = set()
    for region in regions:
        country, _, part = region.partition("-")
        rows.append(("calendar_region", region, "country", country))
        days |= _days_of(country, part or None, range(FIRST_YEAR, year + YEARS_AHEAD + 1))
    rows += [
        ("holiday", name, day.isoformat(), str(_LEAD_DAYS.get(name, 0)))
        for name, day in sorted(days)
    ]
    return rows


def changed_days(before: Sequence[SettingsRow], after: Sequence[SettingsRow]) -> list[str]:
    """Holidays that one of two sets of rows lacks, of years and regions that both have."""

    def regions(rows: Sequence[SettingsRow]) -> set[str]:
        return {name for section, name, _, _ in rows if section == "calendar_region"}

    def days(rows: Sequence[SettingsRow]) -> set[tuple[str, str]]:
        return {(day, name) for section, name, day, _ in rows if section == "holiday"}

    if regions(before) != regions(after):
        return []
    old, new = days(before), days(after)
    last_year = min(max((day[:4] for day, _ in each), default="") for each in (old, new))
    return [f"{day} {name}" for day, name in sorted(old ^ new) if day[:4] < last_year]


def _days_of(country: str, part: str | None, years: range) -> set[tuple[str, date]]:
    """Names and days of the holidays of a country or of a part of it."""
    own = holidays.country_holidays(
        country, subdiv=part, years=years, observed=False, language="en_US"
    )
    years_of: dict[str, set[int]] = defaultdict(set)
    named: set[tuple[str, date]] = set()
    for day in own:
        for title in own.get_list(day):
            name = _event_name(title)
            years_of[name].add(day.year)
            named.add((name, day))
    observed = holidays.country_holidays(country, subdiv=part, years=years, language="en_US")
    days = {(name if len(years_of[name]) >= LEAST_YEARS else SPECIAL, day) for name, day in named}
    return days | {(OBSERVED, day) for day in observed if day not in own}


def _event_name(title: str) -> str:
    """A name of the library as an event is named: `Eid al-Fitr (estimated)` is eid_al_fitr."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\s*\([^)]*\)", "", title))
    letters = plain.encode("ascii", "ignore").decode().lower().replace("'", "")
    name = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")
    return _SHORT_NAMES.get(name, name)


def _told_unknown(region: str, near: Sequence[str]) -> str:
    told = f"{region!r} is no calendar region"
    return f"{told}; near it: {', '.join(near)}" if near else told


def _near_countries(name: str) -> list[str]:
    """Codes of the countries whose codes or names are near a text, the nearest first."""
    codes = {}
    for module, (_, code, *others) in COUNTRIES.items():
        for each in (module, code, *others):
            codes[each.lower()] = code
    text = name.lower().replace(" ", "_")
    near = difflib.get_close_matches(text, list(codes), n=6, cutoff=0.5)
    return list(dict.fromkeys(codes[each] for each in near))[:3]
