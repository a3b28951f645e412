"""Bytes of text files: encodings, lines before the header, what ends a file, repeated columns."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"
ROWS = "Köln,Gemüse,2026-01-03,10\nZürich,Käse,2026-01-04,20\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", codecs.BOM_UTF8 + (HEADER + ROWS).encode()),
        ("utf-8-sig", (HEADER + ROWS).encode()),
        ("windows-1252", (HEADER + ROWS).encode("cp1252")),
        ("latin-1", (HEADER + ROWS).encode("latin-1")),
        ("cp850", (HEADER + ROWS).encode("cp850")),
        ("utf-16", (HEADER + ROWS).encode("utf-16")),
        ("utf-16", (HEADER + ROWS).encode("utf-16-be")),
        ("utf-16", (HEADER + ROWS).encode("utf-16-le")),
        ("utf-16-le", codecs.BOM_UTF16_LE + (HEADER + ROWS).encode("utf-16-le")),
        ("utf-16-be", (HEADER + ROWS).encode("utf-16-be")),
        (
            "gbk",
            HEADER.encode()
            + "Köln,Gemüse,2026-01-03,10\n".encode()
            .replace("ö".encode(), "北".encode("gbk"))
            .replace("ü".encode(), "京".encode("gbk")),
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_any_encoding_is_read_by_its_key(
    shop: Shop, encoding: str, content: bytes, packed: bool
) -> None:
    name = "sales.csv.gz" if packed else "sales.csv"
    shop.put(gzip.compress(content) if packed else content, name)
    shop.ingest(mapping(sales__encoding=encoding))
    first = ("K北ln", "Gem京se") if encoding == "gbk" else ("Köln", "Gemüse")
    assert shop.rows("store", "department", "source_row")[0] == (*first, 1)


def test_a_letter_may_lie_across_the_parts_that_are_read(shop: Shop) -> None:
    line = "1,ab,2026-01-03,10\n" * 70_000
    for pad in range(4):
        text = HEADER + "x" * pad + line + "Zürich,ß,2026-01-04,7\n"
        shop.put(text.encode("utf-16-le"), f"sales{pad}.csv")
    result = shop.ingest(mapping(sales__encoding="utf-16"))
    assert [load.n_rows for load in result.loads] == [70_001] * 4
    assert [row for row in shop.rows("store") if row == "Zürich"] == ["Zürich"] * 4


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (
            (HEADER + ROWS).encode("cp1252"),
            ["not UTF-8", "line 2, byte 30", "encoding: windows-1252 in m", "'Köln,Gem"],
        ),
        ((HEADER + ROWS).encode("cp850"), ["encoding: cp850 in", "'Köln,Gem"]),
        (
            (HEADER + "Москва,Сыр,2026-01-03,1\n").encode("cp1251"),
            ["encoding: windows-1251", "Москва"],
        ),
        ((HEADER + ROWS).encode("utf-16"), ["is UTF-16", "encoding: utf-16 in"]),
        ((HEADER + ROWS).encode("utf-16-le"), ["is UTF-16-LE", "encoding: utf-16-le in"]),
        ((HEADER + ROWS).encode("utf-16-be"), ["is UTF-16-BE", "encoding: utf-16-be in"]),
        ((HEADER + "a\0b,1,2026-01-03,1\n").encode(), ["NUL", "line 2"]),
        (HEADER.encode() + b"caf\xc3", ["not UTF-8", "line 2"]),
    ],
)
def test_another_encoding_is_told_with_its_key(
    shop: Shop, content: bytes, fragments: list[str]
) -> None:
    shop.put(content)
    shop.refused(mapping(), *fragments)


@pytest.mark.parametrize(
    ("encoding", "content", "fragments"),
    [
        # Read as 8-bit text this would land as KÃ¶ln without a word.
        ("windows-1252", (HEADER + ROWS).encode(), ["is UTF-8", "encoding: utf-8 in m"]),
        ("latin-1", codecs.BOM_UTF8 + HEADER.encode() + b"a,b,2026-01-03,1\n", ["is UTF-8"]),
        ("latin-1", (HEADER + ROWS).encode("utf-16-le"), ["is UTF-16-LE"]),
        ("latin-1", (HEADER + ROWS).encode("utf-16"), ["is UTF-16"]),
        (
            "windows-1252",
            HEADER.encode() + b"a,\x81,2026-01-03,1\n",
            ["not windows-1252", "line 2"],
        ),
        ("utf-16", (HEADER + ROWS)[:-1].encode("utf-16")[:-1], ["not utf-16"]),
    ],
)
def test_a_wrong_encoding_is_told(
    shop: Shop, encoding: str, content: bytes, fragments: list[str]
) -> None:
    shop.put(content)
    shop.refused(mapping(sales__encoding=encoding), *fragments)


def test_ascii_is_read_under_any_8_bit_encoding(shop: Shop) -> None:
    shop.put(HEADER + "a,b,2026-01-03,1\n")
    shop.ingest(mapping(sales__encoding="windows-1252"))
    assert shop.rows("store") == ["a"]


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\r\n", "\x1a\x1a"])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_the_mark_of_dos_at_the_end_is_no_row(shop: Shop, end: str, encoding: str) -> None:
    shop.put((HEADER + ROWS.strip() + end).encode(encoding))
    shop.ingest(mapping(sales__encoding=encoding))
    assert shop.rows("sales", "unreadable_line") == [("10", None), ("20", None)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
def test_lines_before_the_header(shop: Shop, line_end: str, bom: bytes) -> None:
    text = "Umsatz; 2026\n\n" + (HEADER + ROWS).replace(",", ";")
    shop.put(bom + text.replace("\n", line_end).encode())
    shop.refused(mapping(), "line 3 looks like the header", "tables.sales.skip_lines: 2 in m")
    shop.refused(mapping(sales__skip_lines=3), "line 3 looks like the header", "skip_lines: 2")
    shop.ingest(mapping(sales__skip_lines=2))
    assert shop.rows("store", "source_row") == [("Köln", 1), ("Zürich", 2)]


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_separator_line_of_excel(shop: Shop, line: str, line_end: str) -> None:
    text = line + "\n" + (HEADER + ROWS).replace(",", ";")
    shop.put(codecs.BOM_UTF8 + text.replace("\n", line_end).encode())
    shop.ingest(mapping())
    assert shop.rows("store", "source_row") == [("Köln", 1), ("Zürich", 2)]


def test_the_separator_line_names_the_delimiter(shop: Shop) -> None:
    shop.put("sep=^\n" + (HEADER + ROWS).replace(",", "^"))
    shop.ingest(mapping())
    assert shop.rows("department") == ["Gemüse", "Käse"]


def test_repeated_columns_matter_only_where_they_are_mapped(shop: Shop) -> None:
    header = "store,department,date,sales,Notes,Notes,,\n"
    shop.put(header + "a,b,2026-01-03,1,x,y,,\n")
    shop.ingest(mapping())
    assert shop.rows("store") == ["a"]
    shop.put(header.replace("Notes", "sales", 1) + "a,b,2026-01-03,1,x,y,,\n", "sales2.csv")
    with pytest.raises(Exception, match="more than once: sales"):
        shop.ingest(mapping())


def test_a_repeated_series_is_refused_and_a_repeated_note_is_not(shop: Shop) -> None:
    related = {"file": "related*", "columns": {"store": "store", "date": "date"}, "series": "all"}
    shop.put(HEADER + ROWS)
    shop.put("store,date,price,note,note\na,2026-01-03,1,x,y\n", "related.csv")
    shop.ingest(mapping(related=related))
    assert shop.rows("series_name", table="raw_related") == ["price"]
    shop.put("store,date,price,price\na,2026-01-03,1,2\n", "related.csv")
    with pytest.raises(Exception, match="numeric column more than once: price"):
        shop.ingest(mapping(related=related))


@pytest.mark.parametrize("name", ["sales.xlsx", "sales.xls", "sales.ods"])
def test_a_spreadsheet_is_told_to_be_saved_as_csv(shop: Shop, name: str) -> None:
    shop.put(b"PK\x03\x04", name)
    shop.refused(mapping(), "is a spreadsheet", "CSV UTF-8")


def test_other_kinds_by_name_and_by_content(shop: Shop) -> None:
    shop.put(b"PK\x03\x04", "sales.zip")
    shop.refused(mapping(), "is an archive", "unpack it")
    (shop.folder / "sales.zip").unlink()
    shop.put(b"\xd0\xcf\x11\xe0rest", "sales.csv")
    shop.refused(mapping(), "is an Excel file although", "CSV UTF-8")


def test_a_quote_before_the_header_swallows_nothing(shop: Shop) -> None:
    shop.put('5" pipes, "all\n' + HEADER + ROWS + "Total,9\n" + ROWS)
    result = shop.ingest(mapping(sales__skip_lines=1))
    assert shop.rows("sales") == ["10", "20", None, "10", "20"]
    assert "line 5: 'Total,9'" in result.warnings[0]
    shop.put('"x\n' + HEADER + 'a,"b,2026-01-03,1\n', "sales2.csv")
    with pytest.raises(Exception, match="line 3"):
        shop.ingest(mapping(sales__skip_lines=1))
