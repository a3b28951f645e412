"""Sales that were cancelled after they had landed, where `keep` leaves cancelled ones out."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescast.ingest import IngestResult, ingest, told
from salescast.lake.loads import counted_loads, retract
from salescast.mapping import Mapping
from support.source_tables import Shop, mapping

HEADER = "order,store,department,date,sales,status\n"
KEEP = ["status not in ('cancelled')"]
BY_LINE = mapping(sales__line_id=["order"], sales__keep=KEEP)
BY_KEY = mapping(duplicates="sum", sales__keep=KEEP)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def land(shop: Shop, described: Mapping, *rows: str) -> IngestResult:
    shop.put(HEADER + "".join(f"{row}\n" for row in rows))
    return ingest(shop.folder, described, shop.lake, decide=lambda _: True)


def newest_rows(shop: Shop) -> list[tuple[str, str, str]]:
    rows = shop.lake.read("raw_sales").to_pylist()
    newest = max(row["load_id"] for row in rows)
    return [(r["department"], r["date"], r["sales"]) for r in rows if r["load_id"] == newest]


@pytest.mark.parametrize("described", [BY_LINE, BY_KEY])
def test_a_sale_cancelled_since_counts_no_more(shop: Shop, described: Mapping) -> None:
    land(shop, described, "1,s,tea,2026-11-02,100,paid", "2,s,oil,2026-11-02,50,paid")
    result = land(shop, described, "1,s,tea,2026-11-02,100,cancelled", "3,s,tea,2026-11-03,70,paid")
    assert newest_rows(shop) == [("tea", "2026-11-02", "0"), ("tea", "2026-11-03", "70")]
    assert (result.replaced.sum_before, result.replaced.sum_after) == (100, 0)
    assert result.questions == ()
    named = "line id" if described is BY_LINE else "store, department and date"
    assert result.warnings[1] == (
        "sales.csv: 1 of them lands with sales of 0,"
        f" as sales of the same {named} have landed before"
    )
    assert "left out" not in told(result)[0]


def test_a_delivery_of_cancelled_sales_alone_lands(shop: Shop) -> None:
    land(shop, BY_LINE, "1,s,tea,2026-11-02,100,paid")
    assert land(shop, BY_LINE, "1,s,tea,2026-11-02,100,cancelled").is_landed


def test_a_sale_that_never_landed_is_left_out(shop: Shop) -> None:
    land(shop, BY_LINE, "1,s,tea,2026-11-02,100,paid")
    result = land(shop, BY_LINE, "2,s,tea,2026-11-02,9,cancelled", "3,s,tea,2026-11-03,70,paid")
    assert newest_rows(shop) == [("tea", "2026-11-03", "70")]
    assert result.figures[0].n_left_out == 1


def test_what_was_taken_back_is_not_withdrawn(shop: Shop) -> None:
    land(shop, BY_LINE, "1,s,tea,2026-11-02,100,paid")
    retract(counted_loads(shop.lake)[0].load_id, shop.lake, "wrong shop")
    land(shop, BY_LINE, "1,s,tea,2026-11-02,100,cancelled", "3,s,tea,2026-11-03,70,paid")
    assert newest_rows(shop) == [("tea", "2026-11-03", "70")]


def test_a_file_read_anew_withdraws_nothing_of_itself(shop: Shop) -> None:
    rows = ("1,s,tea,2026-11-02,100,cancelled", "3,s,tea,2026-11-03,70,paid")
    land(shop, mapping(sales__line_id=["order"]), *rows)
    land(shop, BY_LINE, *rows)
    assert newest_rows(shop) == [("tea", "2026-11-03", "70")]


def test_one_row_a_key_is_left_alone(shop: Shop) -> None:
    described = mapping(sales__keep=KEEP)
    land(shop, described, "1,s,tea,2026-11-02,100,paid")
    land(shop, described, "1,s,tea,2026-11-02,1,cancelled", "2,s,tea,2026-11-02,90,paid")
    assert newest_rows(shop) == [("tea", "2026-11-02", "90")]


def test_a_changed_line_is_no_line_that_vanished(shop: Shop) -> None:
    land(shop, BY_LINE, "1,s,tea,2026-11-02,100,paid", "2,s,tea,2026-11-02,50,paid")
    assert land(shop, BY_LINE, "1,s,tea,2026-11-02,80,paid").questions == ()


def test_related_series_withdraw_nothing(shop: Shop) -> None:
    related = {
        "file": "prices.csv",
        "columns": {"store": "store", "date": "date"},
        "series": {"price": {}, "cost": {}},
        "keep": ["price > 0"],
    }
    shop.put("store,date,price,cost\ns,2026-11-02,3,1\ns,2026-11-03,0,1\n", "prices.csv")
    result = land(shop, mapping(related=related), "1,s,tea,2026-11-02,100,paid")
    assert result.warnings == ("prices.csv: keep leaves out 1 row",)
    assert [each.n_left_out for each in result.figures] == [1, 0]
