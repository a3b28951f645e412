"""Rows that would count twice are asked about, whichever keys of the mapping let them."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.ingest import IngestResult, ingest
from salescast.mapping import Mapping
from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales,receipt\n"
LINES = mapping(sales__line_id=["receipt"])


def tills(receipt: str = "") -> str:
    days = range(1, 13)
    return HEADER + "".join(f"s,d,2026-11-{day:02},{day},{receipt and day}\n" for day in days)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def land(shop: Shop, described: Mapping) -> IngestResult:
    return ingest(shop.folder, described, shop.lake, decide=lambda _: True)


@pytest.mark.parametrize("duplicates", ["reject", "sum"])
def test_an_increment_landed_twice_is_asked_about(shop: Shop, duplicates: str) -> None:
    described = mapping(duplicates=duplicates, deliveries="adds")
    shop.put(tills())
    assert land(shop, described).questions == ()
    # A blank line more makes it another file.
    shop.put(tills() + "\n")
    (question,) = land(shop, described).questions
    assert question.startswith("12 of 12 rows of sales.csv stand word for word in")


def test_rows_that_do_not_count_twice_raise_no_question(shop: Shop) -> None:
    shop.put(tills())
    (shop.folder / "sales (1).csv").write_text(tills() + "\n")
    described = mapping(deliveries="adds")
    result = land(shop, described)
    assert (result.questions, result.warnings) == ((), ())


def test_lines_without_an_id_are_asked_about_where_a_line_has_one(shop: Shop) -> None:
    shop.put(tills())
    land(shop, LINES)
    shop.put(tills() + "\n")
    (question,) = land(shop, LINES).questions
    assert "word for word" in question


def test_lines_with_an_id_may_come_again(shop: Shop) -> None:
    shop.put(tills("r"))
    land(shop, LINES)
    shop.put(tills("r") + "\n")
    assert not any("word for word" in text for text in land(shop, LINES).questions)


def test_lines_that_a_newer_file_of_the_delivery_has_otherwise_are_told(shop: Shop) -> None:
    shop.put(tills("r"))
    (shop.folder / "sales_new.csv").write_text(tills("r").replace("05,5,", "05,50,"))
    (text,) = [each for each in land(shop, LINES).warnings if "line id" in each]
    assert "1 of them stands in several files of the delivery" in text
    assert "the oldest first" in text
