"""What SageMaker's machines cost an hour, from a table that the user can replace."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import get_args

from salescast.errors import UserError
from salescast.forecaster import Use
from salescast.forecaster.sagemaker.settings import PREFIX

COLUMNS = ("region", "instance_type", "use", "usd_per_hour", "as_of")
VARIABLE = f"{PREFIX}PRICES"
UNKNOWN = f"price unknown: give {VARIABLE}"
"""What is told instead of a guess."""

_OWN = Path(__file__).with_name("prices.csv")


@dataclass(frozen=True)
class Price:
    """Dollars for one machine and hour, on demand, as they were listed on a day."""

    usd_per_hour: float
    as_of: date


@dataclass(frozen=True)
class Prices:
    """A table of prices by region, use and instance type; `source` is its file."""

    source: Path
    table: Mapping[tuple[str, str, str], Price]

    def find(self, region: str, use: Use, instance_type: str) -> Price | None:
        """The price of a machine; None if the table does not have it."""
        return self.table.get((region, use, instance_type))

    def cost_usd(
        self, region: str, use: Use, instance_type: str, instance_count: int, seconds: float
    ) -> float | None:
        """Dollars for the seconds of each machine of a job; None if its price is not known.

        SageMaker tells billable seconds of spot machines with the saving taken off already, so the
        price on demand is right for them too.
        """
        price = self.find(region, use, instance_type)
        if price is None:
            return None
        return price.usd_per_hour * instance_count * seconds / 3600


def read_prices(path: Path | None = None) -> Prices:
    """A table of prices; without a path the one that comes with salescast.

    Raises:
        UserError: The file is missing or not UTF-8, or a line is wrong; names file and line.
    """
    source = path or _OWN
    table: dict[tuple[str, str, str], Price] = {}
    for line, row in _rows(source):
        use = row["use"]
        if use not in get_args(Use):
            raise _refusal(
                f"The use {use!r} is not known.", source, line, "Use training or transform."
            )
        key = (row["region"], use, row["instance_type"])
        if key in table:
            raise _refusal(
                f"{row['instance_type']} for {use} in {row['region']} has a price already.",
                source,
                line,
                "Keep one line for each region, instance type and use.",
            )
        table[key] = Price(_dollars(row, source, line), _day(row, source, line))
    return Prices(source, table)


def _rows(source: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and values of each line, the header being line 1."""
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            "The table of prices is not there.",
            where=f"{VARIABLE}={source}",
            fix="Correct the path, or unset it to use the table that comes with salescast.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The table of prices cannot be read: {error}.",
            where=str(source),
            fix="Give a CSV file in UTF-8.",
        ) from error
    reader = csv.DictReader(text.splitlines())
    found = [name.strip() for name in reader.fieldnames or []]
    if sorted(found) != sorted(COLUMNS):
        raise _refusal(
            f"The columns are {', '.join(found) or 'none'}.",
            source,
            1,
            f"Give {','.join(COLUMNS)}.",
        )
    reader.fieldnames = found
    for row in reader:
        values = {name: (value or "").strip() for name, value in row.items() if name in COLUMNS}
        if None in row or not all(values.values()):
            raise _refusal(
                "A value is missing, or there is one too many.",
                source,
                reader.line_num,
                f"Give {','.join(COLUMNS)}.",
            )
        yield reader.line_num, values


def _dollars(row: Mapping[str, str], source: Path, line: int) -> float:
    try:
        dollars = float(row["usd_per_hour"])
    except ValueError:
        dollars = math.nan
    if not (math.isfinite(dollars) and dollars >= 0):
        raise _refusal(
            f"{row['usd_per_hour']!r} is no price.", source, line, "Give dollars an hour, as 0.23."
        )
    return dollars


def _day(row: Mapping[str, str], source: Path, line: int) -> date:
    try:
        return date.fromisoformat(row["as_of"])
    except ValueError:
        raise _refusal(
            f"{row['as_of']!r} is no day.",
            source,
            line,
            "Give the day of the price, as 2026-01-31.",
        ) from None


def _refusal(what: str, source: Path, line: int, fix: str) -> UserError:
    return UserError(what, where=f"{source}, line {line}", fix=fix)
