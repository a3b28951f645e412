"""Spellings of numbers: what cannot be misread is read, what can needs a key and names it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescast.ingest.value_sql import is_number, written_number_sql
from salescast.mapping import Mapping
from support.source_tables import Shop, mapping

NBSP, THIN, NARROW, MINUS, TICK = "\u00a0", "\u2009", "\u202f", "\u2212", "\u2019"
HEADER = "store;department;date;sales\n"


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def read(
    con: duckdb.DuckDBPyConnection, texts: Sequence[str], described: Mapping
) -> list[str | None]:
    """The number of each text; None where it is none under the mapping."""
    number = written_number_sql("v", described)
    found = con.execute(
        f"select case when {is_number(number)} then {number} end"
        " from unnest($texts) with ordinality as t(v, n) order by n",
        {"texts": list(texts)},
    ).fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1234.50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("12,34,567.5", "1234567.5"),
        ("1 234", "1234"),
        (f"1{NBSP}234.50", "1234.50"),
        (f"1{THIN}234{THIN}567.50", "1234567.50"),
        ("1'234.50", "1234.50"),
        (f"1{TICK}234.50", "1234.50"),
        ("$12.50", "12.50"),
        ("12.50 €", "12.50"),
        ("EUR 12.50", "12.50"),
        ("12.50 GBP", "12.50"),
        ("-$12.50", "-12.50"),
        ("$-12.50", "-12.50"),
        ("($1,234.50)", "-1234.50"),
        ("(12.50)", "-12.50"),
        ("12.50-", "-12.50"),
        ("12.50- €", "-12.50"),
        (f"{MINUS}12.50", "-12.50"),
        (f"{NBSP}12.50\t", "12.50"),
        ("US$ 5", "5"),
        ("$.50", ".50"),
        ("1e5", "1e5"),
        ("- 5", "-5"),
        # Each of these may mean two things, or nothing.
        ("1,234", None),
        ("1.234.567", None),
        ("12,50", None),
        ("1.234,50", None),
        ("0,234.50", None),
        ("1,23.50", None),
        ("1 23", None),
        ("12 34.5", None),
        ("(-12.50)", None),
        ("-12.50-", None),
        ("--5", None),
        ("(12.50", None),
        ("1_000", None),
        ("0x10", None),
        ("12 apples", None),
        ("-", None),
        ("$", None),
        ("5%", None),
        ("1,234,56", None),
        ("nan", None),
        ("2026-01-03", None),
        ("12:30", None),
    ],
)
def test_spellings_with_a_point(
    con: duckdb.DuckDBPyConnection, text: str, number: str | None
) -> None:
    assert read(con, [text], mapping()) == [number]


@pytest.mark.parametrize(
    ("keys", "text", "number"),
    [
        ({"decimal_sign": ","}, "1.234,50", "1234.50"),
        ({"decimal_sign": ","}, "1.234", "1234"),
        ({"decimal_sign": ","}, "12,5", "12.5"),
        ({"decimal_sign": ","}, f"1{NARROW}234,50 €", "1234.50"),
        ({"decimal_sign": ","}, "12,50-", "-12.50"),
        # A point that cannot part thousands: not 234, and not 1250.
        ({"decimal_sign": ","}, "0.234", "0.234"),
        ({"decimal_sign": ","}, "12.50", "12.50"),
        ({"decimal_sign": ","}, "1,234.50", None),
        ({"decimal_sign": ",", "thousands_sign": " "}, "1.234", "1234"),
        ({"decimal_sign": ",", "thousands_sign": "."}, "1.234", "1234"),
        ({"thousands_sign": ","}, "1,234", "1234"),
        ({"thousands_sign": ","}, "1,23", None),
        ({"thousands_sign": ","}, "0,234", None),
        ({"thousands_sign": "'"}, "1,234", None),
    ],
)
def test_spellings_under_keys(
    con: duckdb.DuckDBPyConnection, keys: dict[str, str], text: str, number: str | None
) -> None:
    assert read(con, [text], mapping(**keys)) == [number]


amounts = st.decimals("-99999999", "99999999", places=2) | st.integers(-2000, 2000).map(Decimal)
blanks = st.sampled_from(["", " ", "\t", NBSP, THIN])


@st.composite
def spellings(draw: st.DrawFn, decimal: str) -> tuple[str, Decimal]:
    amount = draw(amounts)
    group = draw(st.sampled_from(["", " ", NBSP, THIN, NARROW, "'", TICK, "other"]))
    group = ("," if decimal == "." else ".") if group == "other" else group
    text = f"{abs(amount):,}".replace(",", "G").replace(".", decimal).replace("G", group)
    if group == "," and text.count(",") == 1 and "." not in text:
        text = text.replace(",", "")
    currency = draw(st.sampled_from(["", "$", "€", "£", "kr", "CHF", "US$", "R$", "₹"]))
    before = draw(st.booleans())
    gap = draw(blanks)
    text = f"{currency}{gap}{text}" if before else f"{text}{gap}{currency}"
    if amount < 0:
        minus = draw(st.sampled_from(["-", MINUS]))
        text = draw(st.sampled_from([f"{minus}{text}", f"{text}{minus}", f"({text})"]))
    return draw(blanks) + text + draw(blanks), amount


@settings(max_examples=40, deadline=None)
@given(data=st.data(), decimal=st.sampled_from([".", ","]))
def test_numbers_mean_what_was_written(
    con: duckdb.DuckDBPyConnection, data: st.DataObject, decimal: str
) -> None:
    cases = data.draw(st.lists(spellings(decimal), min_size=20, max_size=60))
    found = read(con, [text for text, _ in cases], mapping(decimal_sign=decimal))
    for (text, amount), number in zip(cases, found, strict=True):
        assert number is not None, text
        assert Decimal(number) == amount, text


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text("0123456789.,-+()'$€ eE" + NBSP + MINUS, max_size=10), max_size=60))
def test_nothing_is_read_that_has_other_digits(
    con: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    for decimal in (".", ","):
        for text, number in zip(
            texts, read(con, texts, mapping(decimal_sign=decimal)), strict=True
        ):
            if number is None:
                continue
            assert [c for c in number if c.isdigit()] == [c for c in text if c.isdigit()], text
            # Behind a sign are as many digits as before, or it was a thousands sign.
            behind = number.lower().split("e")[0].partition(".")[2]
            assert any(behind == part[: len(behind)] for part in re.split("[.,]", text)), text


def test_the_error_names_the_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = "".join(f"a;b;2026-01-{day:02d};1,{day:02d}5\n" for day in range(1, 12))
    shop.put(HEADER + rows)
    shop.refused(
        mapping(), "'1,015'", "thousands_sign: ',' (then '1,015' is 1015)", "decimal_sign: ','"
    )
    shop.put(HEADER + rows.replace("5\n", "\n"))
    text = shop.refused(mapping(), "set decimal_sign: ','")
    assert "thousands_sign" not in text


def test_a_few_are_told_with_the_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = "".join(f"a;b;2026-01-{day:02d};{day}\n" for day in range(1, 12))
    shop.put(HEADER + rows + "a;b;2026-01-12;1,234\na;b;2026-01-13;#N/A\n")
    (told,) = shop.ingest(mapping()).warnings
    assert "2 of 13 values of sales are no numbers" in told
    assert "row 12" in told
    assert "thousands_sign: ','" in told
    assert "'#N/A' to null_texts" in told


def test_a_decimal_comma_is_not_advised_for_a_file_of_points(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = "".join(f"a;b;2026-01-{day:02d};{day}.5\n" for day in range(1, 12))
    shop.put(HEADER + rows + "a;b;2026-01-12;12,5\n")
    (told,) = shop.ingest(mapping()).warnings
    assert "'12,5' (row 12 on)" in told
    assert "decimal_sign" not in told


def test_thousands_that_look_like_decimals_are_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    rows = "".join(f"a;b;2026-01-{day:02d};{day}.{day:03d}\n" for day in range(1, 12))
    shop.put(HEADER + rows)
    (told,) = shop.ingest(mapping()).warnings
    assert "if 1.234 is 1234, set decimal_sign: ','" in told
    # Weights in kilograms have such values too, but not only.
    shop.put(HEADER + rows + "a;b;2026-01-12;0.25\n", "sales2.csv")
    assert not [each for each in shop.ingest(mapping()).warnings if "sales2" in each]


def test_currencies_are_not_mixed_without_a_word(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(HEADER + "a;b;2026-01-03;$ 5\na;b;2026-01-04;5 €\n")
    (told,) = shop.ingest(mapping()).warnings
    assert "more than one currency" in told
    shop.put(HEADER + "a;$b;2026-01-03;5 €\n", "sales2.csv")
    assert shop.ingest(mapping()).warnings == ()
    assert shop.rows("sales") == ["5", "5", "5"]


@pytest.mark.parametrize("name", ["Total", " GRAND TOTAL ", "Gesamt", "Sub-total", "Итого"])
def test_totals_are_told(tmp_path: Path, name: str) -> None:
    shop = Shop(tmp_path)
    shop.put(HEADER + f"a;b;2026-01-03;5\nTotalEnergies;b;2026-01-03;5\n{name};b;2026-01-03;10\n")
    (told,) = shop.ingest(mapping()).warnings
    assert f"1 row of the store {name!r} (row 3)" in told


def test_one_store_may_be_called_total(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.put(HEADER + "Total;b;2026-01-03;5\nTotal;c;2026-01-03;5\n")
    assert shop.ingest(mapping()).warnings == ()
