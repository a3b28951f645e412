"""Quotes that are not closed take in rows: refused, or told where it may be a text of lines."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from support.source_tables import COLUMNS, Shop, mapping

HEADER = "store,department,date,sales,note\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("lines", "n_lines"),
    [
        (['a,b,2026-01-02,5,"', "a,b,2026-01-03,6,x", 'a,b,2026-01-04,7,"'], 2),
        (['a,b,2026-01-02,5,"17 TV', "", 'a,b,2026-01-03,6,19"', "a,b,2026-01-04,7,"], 1),
        # The quotes stand before the date.
        (['a,"b,2026-01-02,5,x', "c,d,2026-01-03,6,y", 'e,f",2026-01-04,7,z'], 2),
        (['"a,b,2026-01-02,5,x', '",b,2026-01-04,7,z'], 1),
        (['a,b,"2026-01-02,5,x', 'c,d,2026-01-03",6,y'], 1),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_inside_a_value_are_refused(
    shop: Shop, lines: list[str], n_lines: int, end: str
) -> None:
    good = "a,b,2026-01-05,8,fine"
    text = end.join([HEADER.strip(), good, *lines, good, ""])
    shop.put(text)
    count = "1 line of" if n_lines == 1 else f"{n_lines} lines of"
    shop.refused(mapping(), "a quote is not closed", count, "row 2", 'inside a value as ""')


def test_a_packed_file_with_lines_before_the_header_and_a_sign_for_its_end(shop: Shop) -> None:
    text = 'Report "of" all\n' + HEADER + 'a,b,2026-01-02,5,"\na,b,2026-01-03,6,"\n\x1a'
    shop.put(gzip.compress(text.encode()), "sales.csv.gz")
    shop.refused(mapping(sales__skip_lines=1), "1 line of", "row 1")


def test_a_text_of_several_lines_is_told(shop: Shop) -> None:
    notes = ["late", "two\nlines, and more", "1\r\n2", "the end"]
    rows = [f'a,b,2026-01-0{n},{n},"{note}"\n' for n, note in enumerate(notes, start=1)]
    shop.put(HEADER + "".join(rows))
    (warning,) = shop.ingest(mapping()).warnings
    assert shop.rows("sales") == ["1", "2", "3", "4"]
    assert "2 rows have a line break inside a value, the first is row 2, column 'note'" in warning
    assert "two\\nlines, and more" in warning


def test_an_address_with_as_many_commas_is_no_row(shop: Shop) -> None:
    shop.put('store,department,date,sales,note\na,b,2026-01-02,5,"x, y, z,\n12 St, 9"\n')
    (warning,) = shop.ingest(mapping()).warnings
    assert "1 row has a line break inside a value, row 1" in warning


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_values_and_blank_lines_need_no_word(shop: Shop, end: str) -> None:
    lines = [HEADER.strip(), '"a","b","2026-01-02","5","17"" TV"', "", 'a,b,2026-01-03,6,17" TV']
    shop.put(end.join([*lines, ""]))
    assert shop.ingest(mapping()).warnings == ()
    assert shop.rows("sales") == ["5", "6"]


def test_a_wide_file_loses_no_row(shop: Shop) -> None:
    described = mapping(
        sales__columns={"store": "store", "department": "department"},
        sales__unpivot={"columns": "20*", "date_format": "%Y-%m-%d"},
    )
    header = "store,department,note,2026-01-02,2026-01-03\n"
    shop.put(header + 'a,b,",1,2\na,c,",3,4\nd,e,,,\n')
    shop.refused(described, "1 line of", "row 1")
    shop.put(header + 'a,b,"two\nlines",1,2\nd,e,,3,\n')
    (warning,) = shop.ingest(described).warnings
    assert "row 1, column 'note'" in warning


def test_other_tables_are_told_too(shop: Shop) -> None:
    shop.put("store,department,date,sales\na,b,2026-01-02,5\n")
    shop.put('store,date,p,text\na,2026-01-02,1,"\nb,2026-01-02,2,"\n', "related.csv")
    related = {"file": "related*", "columns": {"store": "store", "date": "date"}, "series": "all"}
    shop.refused(mapping(related=related), "a quote is not closed", "related.csv, row 1")


def test_keep_does_not_hide_them(shop: Shop) -> None:
    shop.put(HEADER + 'a,b,2026-01-02,5,"\na,b,2026-01-03,6,"\na,b,2026-01-03,-6,\n')
    shop.refused(mapping(sales__columns=COLUMNS, sales__keep="sales > 0"), "1 line of")
