"""Lines with more or fewer values than the header are set aside; all others land as they are."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales"
RELATED = {"file": "related*", "columns": {"store": "store", "date": "date"}, "series": "all"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_totals_line_is_set_aside_with_its_text_and_number(shop: Shop) -> None:
    lines = [HEADER, "a,b,2026-01-03,1", 'Total "all",600', "", "c,d,2026-01-04,2,3,4"]
    shop.put("\n".join([*lines, "e,f,2026-01-05,3", "g,h,2026-01-06,4", "i,j"]))
    result = shop.ingest(mapping())
    assert shop.rows("source_row", "store", "sales", "unreadable_line") == [
        (1, "a", "1", None),
        (2, None, None, 'Total "all",600'),
        (3, None, None, "c,d,2026-01-04,2,3,4"),
        (4, "e", "3", None),
        (5, "g", "4", None),
        (6, None, None, "i,j"),
    ]
    assert any("3 lines set aside" in each and "line 3" in each for each in result.warnings)
    assert result.loads[0].n_rows == 6


def test_constants_are_null_too(shop: Shop) -> None:
    columns = {"store": "store", "date": "date", "sales": "sales"}
    described = mapping(sales__columns=columns, sales__constants={"department": "all"})
    shop.put("store,date,sales\na,2026-01-03,1\nTotal,1\na,2026-01-04,1\n")
    shop.ingest(described)
    assert shop.rows("department") == ["all", None, "all"]


def test_a_line_of_related_series_lands_once(shop: Shop) -> None:
    shop.put(HEADER + "\na,b,2026-01-03,1\n")
    shop.put("store,date,p,q\na,2026-01-03,1,2\nTotal,3\na,2026-01-04,1,2\n", "related.csv")
    result = shop.ingest(mapping(related=RELATED))
    assert shop.rows(
        "source_row", "series_name", "value", "unreadable_line", table="raw_related"
    ) == [
        (1, "p", "1", None),
        (1, "q", "2", None),
        (2, None, None, "Total,3"),
        (3, "p", "1", None),
        (3, "q", "2", None),
    ]
    names = {row["name"] for row in shop.lake.read("settings").to_pylist()}
    assert {"p", "q"} <= names
    assert None not in names
    assert result.settings_changed


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (
            f"{HEADER}\n" + "a,b,2026-01-03,1,5\n" * 3,
            ["most lines have 5 values", "header has 4", "line 2"],
        ),
        (
            f"{HEADER},\n" + "a,b,2026-01-03,1\n" * 3,
            ["most lines have 4 values", "header has 5", "delimiter at the end"],
        ),
        # Two lines in one value: one of them may be a good row.
        (
            f'{HEADER}\na,"b\nc",d\n' + "a,b,2026-01-03,1\n" * 3,
            ["goes on over the end of its line", "line 2"],
        ),
        # A quote that is not closed swallows good lines, which must not go unseen.
        (
            f'{HEADER}\na,"b,2026-01-03,1\nc,d,2026-01-03,1\ne,"f,2026-01-03,1\n',
            ["quote", "line 2"],
        ),
    ],
)
def test_what_is_no_single_line_is_refused(shop: Shop, content: str, fragments: list[str]) -> None:
    shop.put(content)
    shop.refused(mapping(), *fragments)


fields = st.text(st.sampled_from('ab7 ,";\nöé|'), max_size=5)


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[list[str]], str, str, bool]:
    good = st.lists(fields, min_size=4, max_size=4)
    bad = st.lists(st.text(st.sampled_from("ab7ö"), min_size=1, max_size=5), min_size=1, max_size=7)
    rows = draw(st.lists(good, min_size=1, max_size=12))
    for row in draw(st.lists(bad.filter(lambda row: len(row) not in (4, 6)), max_size=len(rows))):
        rows.insert(draw(st.integers(0, len(rows))), row)
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    return (
        rows,
        line_end,
        draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"])),
        draw(st.booleans()),
    )


@settings(max_examples=60, deadline=None)
@given(case=lines())
def test_every_line_lands_at_its_place(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[list[str]], str, str, bool]
) -> None:
    rows, line_end, encoding, packed = case
    shop = Shop(tmp_path_factory.mktemp("lines"))
    out = io.StringIO()
    # The two columns that are judged are the same in each row; the others are anything.
    writer = csv.writer(out, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["store", "department", "x", "y", "date", "sales"])
    texts = []
    for row in rows:
        if len(row) == 4:
            writer.writerow([*row, "2026-01-03", "1"])
            texts.append(None)
        else:
            texts.append(",".join(row))
            out.write(texts[-1] + line_end)
    data = out.getvalue().encode(encoding)
    shop.put(gzip.compress(data) if packed else data, "sales.csv.gz" if packed else "sales.csv")
    shop.ingest(mapping(sales__encoding="cp1252" if encoding == "cp1252" else "utf-8"))
    assert shop.rows("source_row", "store", "department", "unreadable_line") == [
        (n, None, None, text) if text is not None else (n, row[0] or None, row[1] or None, None)
        for n, (row, text) in enumerate(zip(rows, texts, strict=True), start=1)
    ]
