"""A corrected file that lacks a landed row: the row goes on counting, and that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.ingest import IngestResult, ingest
from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"


def day_rows(store: str, department: str, days: range, without: int = 0) -> str:
    return "".join(f"{store},{department},2026-11-{d:02},{d}\n" for d in days if d != without)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def land(shop: Shop, text: str, **keys: str) -> IngestResult:
    shop.put(HEADER + text)
    return ingest(shop.folder, mapping(**keys), shop.lake, decide=lambda _: True)


def told(result: IngestResult) -> list[str]:
    return [text for text in result.warnings if "not in the delivery" in text]


def test_a_row_that_a_correction_lacks_is_told(shop: Shop) -> None:
    land(shop, day_rows("s", "d", range(1, 13)))
    (text,) = told(land(shop, day_rows("s", "d", range(1, 13), without=7)))
    assert text.startswith("1 landed row of 2026-11-07 (sum 7) is not in the delivery")
    assert "still counts" in text


@pytest.mark.parametrize("keys", [{}, {"duplicates": "sum"}])
def test_a_correction_is_of_its_own_stores_and_dates_only(shop: Shop, keys: dict[str, str]) -> None:
    land(shop, day_rows("s", "d", range(1, 13)) + day_rows("t", "d", range(1, 13)), **keys)
    corrected = day_rows("s", "d", range(5, 9)) + day_rows("t", "d", range(2, 6))
    assert told(land(shop, corrected.replace(",5\n", ",50\n"), **keys)) == []


def test_another_department_or_new_days_or_increments_are_no_correction(shop: Shop) -> None:
    land(shop, day_rows("s", "d", range(1, 13)))
    assert told(land(shop, day_rows("s", "e", range(1, 13)))) == []
    assert told(land(shop, day_rows("s", "d", range(12, 20)))) == []


def test_increments_are_no_correction(shop: Shop) -> None:
    land(shop, day_rows("s", "d", range(1, 13)), deliveries="adds")
    more = day_rows("s", "d", range(1, 13), without=7)
    assert told(land(shop, more, deliveries="adds")) == []
