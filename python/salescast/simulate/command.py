"""Simulate a chain and write its files.

The week is the unit of the rules. A series is its level times a seasonal factor of its
department, a drifting level, promotions and noise; the daily grain splits the same weeks over
their days. Random streams are kept apart by topic and run along time, so that a simulation of one
more week (`weeks` and `end` both one week further) repeats the history it extends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from salescast import disk
from salescast.errors import UserError
from salescast.simulate.calendar import PLANNED_WEEKS, make_calendar
from salescast.simulate.chain import make_chain
from salescast.simulate.defects import inject_defects
from salescast.simulate.demand import simulate_blocks
from salescast.simulate.tables import (
    Grain,
    count_series,
    departments_table,
    related_table,
    sales_table,
    stores_table,
)
from salescast.simulate.writing import (
    FileFormat,
    write_csv_sales,
    write_csv_table,
    write_dimension,
    write_parquet_sales,
    writing,
)

logger = logging.getLogger(__name__)


DEFAULT_END = date(2026, 10, 31)
SATURDAY = 5


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
        DiskError: The disk is full, or refuses the folder.
    """
    _check_arguments(stores, departments, weeks, seed, grain, file_format)
    with disk.telling(out):
        return _write(out, stores, departments, weeks, seed, end, grain, defects, file_format)


def _write(
    out: Path,
    stores: int,
    departments: int,
    weeks: int,
    seed: int,
    end: date | None,
    grain: Grain,
    defects: bool,
    file_format: FileFormat,
) -> SimulationSummary:
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
    chain = make_chain(stores, departments, weeks, seed, first)
    calendar = make_calendar(first, weeks, chain.profiles, seed)

    files = (sales_file, out / "related.csv", out / "stores.csv", out / "departments.csv")
    n_rows = n_series = 0
    broken: dict[str, list[list[str]]] = {}
    writer = write_csv_sales if file_format == "csv" else write_parquet_sales
    with writer(sales_file) as sink, writing(files[1]) as related_stream:
        for block in simulate_blocks(chain, calendar, seed):
            is_first = block.number == 0
            sales = sales_table(chain, calendar, block, seed, grain)
            n_series += count_series(sales)
            if is_first and defects:
                sales, broken = inject_defects(sales, chain, file_format, seed)
            sink.write(sales)
            n_rows += sales.num_rows
            related = related_table(chain, calendar, block, seed, grain)
            write_csv_table(related, related_stream, include_header=is_first)
        sink.write_defects([row for rows in broken.values() for row in rows])
    write_dimension(stores_table(chain, first), files[2])
    write_dimension(departments_table(chain), files[3])

    injected = {kind: len(rows) for kind, rows in broken.items()}
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
