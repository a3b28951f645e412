"""Small made-up files of the kinds that shops have, each with the rows that are in it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = tuple[str, str, str, float]
"""Store, department, date and sales as they should land."""

Files = dict[str, bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of file: what is written, what it means, and what a person has to be asked.

    Attributes:
        name: Name of the test.
        files: Content by file name.
        rows: What should land.
        keys: Keys of the mapping with the value that they must have.
        asked: Parts of CHECK lines that must be there.
        is_certain: Parts of CHECK lines that must not be there, because the file says it.
    """

    name: str
    files: Files
    rows: list[Row]
    keys: dict[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    is_certain: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write its files into a folder."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def days(first: str, n: int, step: int = 1) -> list[date]:
    """Dates at equal distances."""
    start = date.fromisoformat(first)
    return [start + timedelta(days=step * number) for number in range(n)]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    """A text of rows and columns."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def panel(dates: Sequence[date], keys: Sequence[tuple[str, str]], cents: bool = True) -> list[Row]:
    """Sales of each key at each date; no two are alike."""
    return [
        (store, item, day.isoformat(), 10.0 + number * 7 + k * 3 + (0.25 * (number % 4)) * cents)
        for number, day in enumerate(dates)
        for k, (store, item) in enumerate(keys)
    ]


KEYS = [("North", "Tea"), ("North", "Mugs"), ("South", "Tea")]
WEEKS = days("2025-01-04", 30, 7)
DAYS = days("2026-01-03", 60)
WEEKLY, DAILY = panel(WEEKS, KEYS), panel(DAYS, KEYS)


def written(rows: list[Row], day: str, number: Callable[[float], str] = str) -> list[list[str]]:
    """Rows with their dates and numbers in a form."""
    return [[s, d, date.fromisoformat(t).strftime(day), number(v)] for s, d, t, v in rows]


def comma(value: float) -> str:
    """1234,50."""
    return f"{value:.2f}".replace(".", ",")


def grouped(value: float) -> str:
    """1,234.50."""
    return f"{value:,.2f}"


def continental(value: float) -> str:
    """1.234,50."""
    return grouped(value).translate(str.maketrans(",.", ".,"))


def large(rows: list[Row]) -> list[Row]:
    """Sales in the thousands."""
    return [(s, d, t, v * 100) for s, d, t, v in rows]


def all_of(rows: list[Row], store: str | None = None, item: str | None = None) -> list[Row]:
    """Rows with a constant instead of a key."""
    return [(store or s, item or d, t, v) for s, d, t, v in rows]


_EXCEL_START = date(1899, 12, 30)
_NUMBERED = [f"W{number}" for number in range(8)]


def later(rows: list[Row], n_days: int) -> list[Row]:
    """Rows at other dates."""
    step = timedelta(days=n_days)
    return [(s, d, str(date.fromisoformat(t) + step), v) for s, d, t, v in rows]


def _two_ways(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.month}/{day.day}/{day.year}" if day.day > 12 else f"{day:%m-%d-%Y}"


HEADER = ["store", "department", "date", "sales"]
ORDERS = [
    (
        f"A{number // 2}",
        number % 2 + 1,
        KEYS[number % 3],
        day,
        1 + number % 4,
        2.5 * (1 + number % 3),
    )
    for number, day in enumerate(day for day in DAYS for _ in range(4))
]
_STATUS = ["paid", "paid", "Cancelled", "paid", "paid", "paid", "paid"]
_GIVEN = [(*order, _STATUS[number % 7]) for number, order in enumerate(ORDERS)]


_MORE = ["Quantity", "Unit Price", "Status"]


def _orders_csv() -> str:
    return table(
        ["Order ID", "Line No", "Branch", "Product", "Order Date", *_MORE],
        [
            (o, n, *key, f"{day:%m/%d/%Y} 1{n}:05", q, p, status)
            for o, n, key, day, q, p, status in _GIVEN
        ],
    )


def _wide(rows: list[Row], title: Callable[[date], str]) -> str:
    by_key: dict[tuple[str, str], dict[str, float]] = {}
    for store, item, day, value in rows:
        by_key.setdefault((store, item), {})[day] = value
    stamps = sorted({row[2] for row in rows})
    header = ["Store", "Item", *(title(date.fromisoformat(each)) for each in stamps)]
    return table(header, [[*key, *(cells[t] for t in stamps)] for key, cells in by_key.items()])


def _parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _plain(text: str, encoding: str = "utf-8", name: str = "export.csv") -> Files:
    return {name: text.encode(encoding)}


def _in_german(rows: list[Row]) -> list[Row]:
    names = {"North": "Köln", "South": "München"}
    return [(names[s], "Getränke" if d == "Tea" else "Süßes", t, v) for s, d, t, v in rows]


_SMALL_DAYS = [day for day in days("2025-01-01", 365) if day.day <= 12 and day.month <= 12]

KINDS = [
    Kind(
        "weekly_till",
        _plain(table(HEADER, WEEKLY)),
        WEEKLY,
        {"grain": "weekly", "week_ends_on": "saturday", "duplicates": "reject"},
        asked=("Saturday the last",),
    ),
    Kind(
        "daily_american_dates",
        _plain(table(["Shop", "Category", "Date", "Revenue"], written(DAILY, "%m/%d/%Y"))),
        DAILY,
        {"grain": "daily", "date_format": ["%m/%d/%Y"]},
        asked=("do not say when your week ends",),
        is_certain=("read as",),
    ),
    Kind(
        "daily_european_dates_gzip",
        {
            "sales.csv.gz": gzip.compress(
                table(["Shop", "Brand", "Day", "Turnover"], written(DAILY, "%d/%m/%Y")).encode()
            )
        },
        DAILY,
        {"date_format": ["%d/%m/%Y"]},
        is_certain=("read as",),
    ),
    Kind(
        "german_till_windows_1252",
        _plain(
            table(
                ["Filiale", "Warengruppe", "Datum", "Umsatz (€)"],
                written(_in_german(DAILY), "%d.%m.%Y", comma),
                ";",
            ),
            "cp1252",
        ),
        _in_german(DAILY),
        {"decimal_sign": ",", "date_format": ["%d.%m.%Y"], "calendar_region": ["DE"]},
        asked=("encoding windows-1252 is likely",),
        is_certain=("read as", "could be", "holidays"),
    ),
    Kind(
        "german_thousands_two_digit_years",
        _plain(
            table(
                ["Markt", "Artikel", "Verkaufsdatum", "Betrag"],
                written(large(WEEKLY), "%d.%m.%y", continental),
                ";",
            )
        ),
        large(WEEKLY),
        {"decimal_sign": ",", "date_format": ["%d.%m.%y"], "grain": "weekly"},
        is_certain=("could be",),
    ),
    Kind(
        "french_tabs_utf_16",
        _plain(
            table(
                ["Magasin", "Rayon", "Date", "Chiffre d'affaires"],
                written(DAILY, "%d/%m/%Y", comma),
                "\t",
            ),
            "utf-16",
            "ventes.txt",
        ),
        DAILY,
        {"decimal_sign": ",", "date_format": ["%d/%m/%Y"]},
    ),
    Kind(
        "spanish_titles",
        _plain(table(["Tienda", "Producto", "Fecha", "Cantidad"], written(DAILY, "%Y-%m-%d"), ";")),
        DAILY,
    ),
    Kind(
        "dutch_titles_semicolons",
        _plain(
            table(["Winkel", "Artikel", "Datum", "Omzet"], written(DAILY, "%d-%m-%Y", comma), ";")
        ),
        DAILY,
        {"decimal_sign": ",", "date_format": ["%d-%m-%Y"]},
    ),
    Kind(
        "italian_titles",
        _plain(
            table(["Negozio", "Reparto", "Data", "Incasso"], written(DAILY, "%d/%m/%Y", comma), ";")
        ),
        DAILY,
        {"decimal_sign": ","},
    ),
    Kind(
        "portuguese_titles",
        _plain(table(["Loja", "Produto", "Data", "Valor"], written(DAILY, "%d/%m/%Y", comma), ";")),
        DAILY,
    ),
    Kind(
        "thousands_and_currency",
        _plain(
            table(
                ["Store Name", "Dept", "Week Ending", "Net Sales"],
                written(large(WEEKLY), "%m/%d/%Y", lambda v: f"${grouped(v)}"),
            )
        ),
        large(WEEKLY),
        {"grain": "weekly", "week_label": "end"},
        is_certain=("Saturday the last", "could be"),
    ),
    Kind(
        "every_number_in_thousands",
        _plain(
            table(
                HEADER,
                written(
                    [(s, d, t, 1000.0 * round(v)) for s, d, t, v in DAILY],
                    "%Y-%m-%d",
                    lambda v: f"{v:,.0f}",
                ),
            )
        ),
        [(s, d, t, 1000.0 * round(v)) for s, d, t, v in DAILY],
        {"thousands_sign": ","},
        asked=("could be 122.000",),
    ),
    Kind(
        "lines_before_the_header",
        _plain("Sales report\nPrinted 2026-03-05;by Ann\n\n" + table(HEADER, DAILY, ";")),
        DAILY,
    ),
    Kind(
        "separator_line",
        _plain("sep=|\n" + table(HEADER, WEEKLY, "|")),
        WEEKLY,
    ),
    Kind(
        "total_at_the_end",
        _plain(table(HEADER, WEEKLY) + f"Total,{sum(row[3] for row in WEEKLY)}\n"),
        WEEKLY,
    ),
    Kind(
        "order_lines",
        _plain(_orders_csv(), name="orders.csv"),
        [
            (*key, day.isoformat(), float(q))
            for _, _, key, day, q, _, status in _GIVEN
            if status == "paid"
        ],
        {"duplicates": "sum", "missing_means": "zero", "deliveries": "adds"},
        asked=('"Quantity * [Unit Price]"', "which were not sold?"),
        is_certain=("read as",),
    ),
    Kind(
        "shop_export_with_offsets",
        _plain(
            table(
                ["Name", "Created at", "Lineitem quantity", "Lineitem name", "Location"],
                [
                    (o, f"{day} 2{n}:30:00 -0500", q, key[1], key[0])
                    for o, n, key, day, q, _ in ORDERS
                ],
            )
        ),
        [(*key, day.isoformat(), float(q)) for _, _, key, day, q, _ in ORDERS],
        {"timezone": "as_written", "duplicates": "sum"},
        is_certain=("in UTC",),
    ),
    Kind(
        "moments_in_utc",
        _plain(
            table(
                ["store", "item", "timestamp", "amount"],
                [(s, d, f"{t}T23:15:00Z", v) for s, d, t, v in DAILY],
            )
        ),
        DAILY,
        asked=("times are in UTC",),
    ),
    Kind(
        "two_ways_of_dates",
        _plain(
            table(
                HEADER,
                [(s, d, _two_ways(t), v) for s, d, t, v in DAILY],
            )
        ),
        DAILY,
        {"date_format": ["%m/%d/%Y", "%m-%d-%Y"]},
        asked=("%m-%d-%Y is taken",),
    ),
    Kind(
        "days_and_months_alike",
        _plain(table(HEADER, written(panel(_SMALL_DAYS[:24], KEYS), "%d/%m/%Y"))),
        panel(_SMALL_DAYS[:24], KEYS),
        {"date_format": ["%d/%m/%Y"]},
        asked=("%d/%m/%Y is taken",),
    ),
    Kind(
        "long_dates_in_may_and_tabs",
        _plain(
            table(
                HEADER, written(panel(days("2026-05-04", 20), KEYS), "%A, %B %d, %Y", comma), "\t"
            )
        ),
        panel(days("2026-05-04", 20), KEYS),
        {"date_format": ["%A, %b %d, %Y", "%A, %B %d, %Y"]},
    ),
    Kind(
        "some_rows_twice",
        _plain(table(HEADER, [*DAILY, *DAILY[:20]])),
        [*DAILY, *DAILY[:20]],
        asked=("in every column: sold twice",),
    ),
    Kind(
        "excel_day_numbers",
        _plain(
            table(
                HEADER,
                [(s, d, (date.fromisoformat(t) - _EXCEL_START).days, v) for s, d, t, v in DAILY],
            )
        ),
        DAILY,
        {"date_format": ["excel"]},
    ),
    Kind(
        "iso_weeks",
        _plain(
            table(
                ["store", "department", "week", "sales"],
                [(s, d, f"{date.fromisoformat(t):%G-W%V}", v) for s, d, t, v in WEEKLY],
            )
        ),
        later(WEEKLY, 1),
        {"grain": "weekly", "week_ends_on": "sunday"},
        is_certain=("the last",),
    ),
    Kind(
        "weeks_that_start_on_monday",
        _plain(
            table(
                ["store", "department", "week_start", "sales"],
                later(WEEKLY, 2),
            )
        ),
        later(WEEKLY, 2),
        {"week_label": "start", "week_ends_on": "sunday"},
        is_certain=("the first day",),
    ),
    Kind(
        "wide_weeks_by_date",
        _plain(_wide(WEEKLY, lambda d: f"{d:%d.%m.%Y}")),
        WEEKLY,
        {"grain": "weekly"},
    ),
    Kind("wide_days_by_date", _plain(_wide(DAILY, str)), DAILY, {"grain": "daily"}),
    Kind(
        "wide_weeks_by_number",
        _plain(
            table(
                ["Product_Code", *_NUMBERED, "MIN", *(f"Normalized {n}" for n in range(8))],
                [(f"P{k}", *(n + k for n in range(8)), k, *([0.5] * 8)) for k in range(4)],
            )
        ),
        [
            ("all", f"P{k}", str(date(2026, 11, 22) - timedelta(days=7 * (7 - n))), float(n + k))
            for k in range(4)
            for n in range(8)
        ],
        asked=("does not say when 'W0' was",),
    ),
    Kind(
        "one_file_a_channel",
        {
            "till.csv": table(HEADER, WEEKLY).encode(),
            "online.csv": table(HEADER, [(*row[:3], 4) for row in WEEKLY]).encode(),
        },
        WEEKLY + [(*row[:3], 4.0) for row in WEEKLY],
        {"duplicates": "sum"},
        asked=("sum adds the files up",),
    ),
    Kind(
        "the_same_file_twice",
        {
            "sales.csv": table(HEADER, WEEKLY).encode(),
            "Sales (1).csv": table(HEADER, [*WEEKLY[:-1], (*WEEKLY[-1][:3], 1)]).encode(),
        },
        [*WEEKLY, *WEEKLY[:-1], (*WEEKLY[-1][:3], 1.0)],
        {"duplicates": "reject"},
        asked=("stand in two files",),
    ),
    Kind(
        "month_files_of_two_years",
        {
            f"Sales_{month}.csv": table(
                HEADER, written([r for r in DAILY if r[2][:7] == month], "%m/%d/%Y")
            ).encode()
            for month in ("2026-01", "2026-02", "2026-03")
        },
        DAILY,
        {"date_format": ["%m/%d/%Y"]},
        is_certain=("read as",),
    ),
    Kind(
        "no_store_and_no_department",
        _plain(table(["date", "units sold"], [(t, v) for _, _, t, v in DAILY[::3]])),
        all_of(DAILY[::3], "all", "all"),
        is_certain=("no column is named",),
    ),
    Kind(
        "columns_without_telling_names",
        _plain(table(["A", "B", "C", "D"], DAILY)),
        all_of(DAILY, "all", "all"),
        {"duplicates": "sum"},
        asked=("named like a store", "'A' (2 different)", "by its values, not its name"),
    ),
    Kind(
        "texts_for_no_value",
        _plain(
            table(
                HEADER,
                [
                    *DAILY,
                    *(
                        ("South", "Mugs", f"2026-01-0{n}", text)
                        for n, text in ((5, "-"), (6, "n/a"))
                    ),
                ],
            )
        ),
        DAILY,
        {"null_texts": ["", "NA", "NULL", "null", "NaN", "nan", "-", "n/a"]},
    ),
    Kind(
        "holidays_by_letter",
        _plain(
            table(
                ["Store", "DayOfWeek", "Date", "Sales", "Open", "StateHoliday"],
                [
                    (s, 1, t, v, 1, "a" if t.endswith("06") else "0")
                    for s, d, t, v in DAILY
                    if d == "Tea"
                ],
            )
        ),
        all_of([row for row in DAILY if row[1] == "Tea"], item="all"),
        asked=("mean a holiday?",),
    ),
    Kind(
        "parquet_with_a_zone",
        {
            "sales.parquet": _parquet(
                {
                    "store": [row[0] for row in DAILY],
                    "department": [row[1] for row in DAILY],
                    "date": pa.array(
                        [date.fromisoformat(row[2]) for row in DAILY], pa.date32()
                    ).cast(pa.timestamp("us", "America/New_York")),
                    "sales": [row[3] for row in DAILY],
                }
            )
        },
        later(DAILY, -1),
    ),
    Kind(
        "a_year_mistyped",
        _plain(table(HEADER, [*WEEKLY, ("North", "Tea", "2002-01-05", 5)])),
        [*WEEKLY, ("North", "Tea", "2002-01-05", 5.0)],
        {"grain": "weekly"},
        asked=("2002-01-05 (1)",),
    ),
    Kind(
        "money_and_units",
        _plain(table([*HEADER, "quantity"], [(*row, 3) for row in DAILY])),
        DAILY,
        asked=("'quantity' holds units",),
    ),
]
