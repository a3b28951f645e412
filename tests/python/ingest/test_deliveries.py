"""Deliveries: what a second one does to the first, what it tells, and what it asks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.ingest import IngestResult, ingest, told
from salescast.lake.loads import counted_loads, retract
from salescast.mapping import Mapping
from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"
LINES = "store,department,date,sales,receipt\n"
FIRST = date(2026, 1, 4)


def days(n: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=day) for day in range(n)]


def csv(dates: Iterable[date], sales: float, store: str = "s", department: str = "d") -> str:
    return HEADER + "".join(f"{store},{department},{day},{sales}\n" for day in dates)


def receipts(numbers: Iterable[int], day: date = FIRST, sales: float = 1) -> str:
    return LINES + "".join(f"s,d,{day},{sales},r{number}\n" for number in numbers)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def again(shop: Shop, described: Mapping, yes: bool = True) -> IngestResult:
    return ingest(shop.folder, described, shop.lake, decide=lambda _: yes)


def questions(shop: Shop, described: Mapping) -> str:
    """What is asked; nothing is landed."""
    before = shop.lake.names("raw_loads")
    result = again(shop, described, yes=False)
    assert not result.is_landed
    assert shop.lake.names("raw_loads") == before
    if result.questions:
        with pytest.raises(UserError, match="needs a word from you") as caught:
            shop.ingest(described)
        assert "--yes" in (caught.value.fix or "")
    return "\n".join(result.questions)


def test_a_delivery_tells_what_it_holds_and_replaces(shop: Shop) -> None:
    shop.put(csv(days(20), 10))
    first = shop.ingest(mapping())
    assert told(first) == [
        "raw_sales: 20 rows of 1 file, 2026-01-04 to 2026-01-23, sum of sales 200"
    ]
    shop.put(csv(days(4, FIRST + timedelta(days=18)), 7))
    second = shop.ingest(mapping())
    assert told(second) == [
        "raw_sales: 4 rows of 1 file, 2026-01-22 to 2026-01-25, sum of sales 28",
        "replaces 2 landed rows of 2026-01-22 to 2026-01-23, 2 by another value: "
        "sum of sales there 20 before, 14 after",
    ]


def test_equal_values_are_replaced_and_not_changed(shop: Shop) -> None:
    shop.put(csv(days(40), 10))
    shop.ingest(mapping())
    shop.put(csv(days(60), 10.0).replace("10.0", "10.00"))
    result = shop.ingest(mapping())
    assert (result.replaced.n_rows, result.replaced.n_changed) == (40, 0)
    assert result.questions == ()


def test_files_of_one_delivery_are_one(shop: Shop) -> None:
    shop.put(csv(days(5), 10), "sales_shop.csv")
    shop.put(csv(days(5), 4), "sales_web.csv")
    result = shop.ingest(mapping(duplicates="sum"))
    assert {row["delivery_id"] for row in shop.lake.read("raw_loads").to_pylist()} == {
        result.delivery_id
    }
    assert result.figures[0].sales_sum == 70
    assert result.replaced.n_rows == 0


def test_a_change_far_in_the_past_is_asked_about(shop: Shop) -> None:
    shop.put(csv(days(250), 10))
    shop.ingest(mapping())
    shop.put(csv([FIRST + timedelta(days=3), FIRST + timedelta(days=249)], 11))
    asked = questions(shop, mapping())
    assert "1 sale from 2026-01-07 on, more than 26 weeks before" in asked
    assert again(shop, mapping()).is_landed


def test_a_change_of_much_of_the_history_is_asked_about(shop: Shop) -> None:
    shop.put(csv(days(40), 10))
    shop.ingest(mapping())
    shop.put(csv(days(20), 11))
    assert "changes 20 sales of 40 that are landed" in questions(shop, mapping())


def test_other_lines_of_the_same_day_look_like_an_increment(shop: Shop) -> None:
    described = mapping(duplicates="sum")
    shop.put(receipts(range(6)))
    shop.ingest(described)
    shop.put(receipts(range(6, 10)))
    asked = questions(shop, described)
    assert "replaces 6 lines of 2026-01-04 and holds 6 of them no more" in asked
    assert "deliveries: adds" in asked
    # The same lines and more are a restatement.
    shop.put(receipts(range(10)))
    assert questions(shop, described) == ""


def test_an_export_taken_twice_is_asked_about_before_it_counts_twice(shop: Shop) -> None:
    described = mapping(duplicates="sum", deliveries="adds")
    shop.put(receipts(range(10)))
    shop.ingest(described)
    shop.put(receipts(range(11)))
    asked = questions(shop, described)
    assert "10 of 11 rows of sales.csv stand word for word in sales.csv (load 2" in asked
    shop.put(receipts(range(8, 30)))
    assert questions(shop, described) == ""
    assert "2 of 22 rows" in again(shop, described).warnings[0]


def test_two_copies_in_one_delivery_are_asked_about(shop: Shop) -> None:
    described = mapping(duplicates="sum")
    shop.put(receipts(range(10)), "sales.csv")
    shop.put(receipts(range(11)), "sales (1).csv")
    assert "10 of 11 rows of sales (1).csv stand word for word in sales.csv" in questions(
        shop, described
    )
    (shop.folder / "sales (1).csv").unlink()
    shop.put(receipts(list(range(10)) * 2))
    assert "holds each of its 20 rows more than once" in questions(shop, described)


def test_a_copy_of_the_same_content_is_skipped(shop: Shop) -> None:
    for name in ("sales.csv", "sales (1).csv"):
        shop.put(receipts(range(10)), name)
    result = shop.ingest(mapping(duplicates="sum"))
    assert [load.source_file for load in result.loads] == ["sales (1).csv"]
    assert [file.source_file for file in result.skipped] == ["sales.csv"]


def test_lines_with_an_id_may_come_again(shop: Shop) -> None:
    described = mapping(sales__line_id=["receipt"])
    assert (described.duplicates, described.deliveries) == ("sum", "adds")
    shop.put(receipts(range(10)))
    shop.ingest(described)
    shop.put(receipts(range(5, 20)))
    result = shop.ingest(described)
    assert (result.replaced.n_rows, result.replaced.sum_after) == (5, 20)
    assert shop.rows("line_id")[0] == '["r0"]'


def test_an_id_of_orders_is_no_id_of_lines(shop: Shop) -> None:
    shop.put(LINES + f"s,a,{FIRST},1,r1\ns,b,{FIRST},2,r1\n")
    (warning,) = shop.ingest(mapping(sales__line_id="receipt")).warnings
    assert "1 line id stand for rows that are not the same" in warning


def test_an_empty_line_id_names_no_line(shop: Shop) -> None:
    shop.put(LINES + f"s,a,{FIRST},1,\ns,a,{FIRST},2, \n")
    shop.ingest(mapping(sales__line_id=["store", "receipt"]))
    assert shop.rows("line_id") == [None, None]


def test_line_ids_need_sums() -> None:
    with pytest.raises(ValueError, match="needs duplicates: sum"):
        mapping(duplicates="reject", sales__line_id="receipt")


def test_a_file_that_was_restated_is_not_put_back_in_silence(shop: Shop) -> None:
    old, new = csv(days(40), 10), csv(days(4, FIRST + timedelta(days=36)), 6)
    shop.put(old)
    first = shop.ingest(mapping()).loads[0].load_id
    shop.put(new, "sales_new.csv")
    second = shop.ingest(mapping())
    assert [file.source_file for file in second.skipped] == ["sales.csv"]
    (shop.folder / "sales_new.csv").unlink()
    asked = questions(shop, mapping())
    by = second.loads[0].load_id
    assert f"landed before as {first}, and 4 rows of it were replaced since by {by}" in asked
    assert f"--retract {by}" in asked
    result = again(shop, mapping())
    assert result.loads[0].replaces_load_id == first
    assert result.replaced.sum_after - result.replaced.sum_before == 16
    assert first not in [load.load_id for load in counted_loads(shop.lake)]


def test_last_weeks_file_in_the_folder_is_told_and_left_alone(shop: Shop) -> None:
    shop.put(csv(days(40), 10), "sales1.csv")
    shop.ingest(mapping())
    shop.put(csv(days(10, FIRST + timedelta(days=38)), 6), "sales2.csv")
    shop.ingest(mapping())
    shop.put(csv(days(10, FIRST + timedelta(days=48)), 6), "sales3.csv")
    third = shop.ingest(mapping())
    assert [load.source_file for load in third.loads] == ["sales3.csv"]
    assert "sales1.csv landed before as" in third.warnings[0]
    assert "2 rows of it were replaced since" in third.warnings[0]


def test_a_mended_mapping_lands_the_file_anew_in_its_place(shop: Shop) -> None:
    wrong, right = mapping(date_format="%m/%d/%Y"), mapping(date_format="%d/%m/%Y")
    shop.put(HEADER + "s,d,03/02/2026,10\ns,d,04/02/2026,10\n", "sales1.csv")
    first = shop.ingest(wrong).loads[0]
    shop.put(HEADER + "s,d,03/02/2026,7\n", "sales2.csv")
    second = ingest(shop.folder / "sales2.csv", right, shop.lake)
    anew = again(shop, right)
    assert [load.replaces_load_id for load in anew.loads] == [first.load_id]
    # It has no delivery of its own that could be taken back.
    assert anew.delivery_id == ""
    assert f"sales1.csv lands anew and replaces what it was, {first.load_id}" in told(anew)
    # It is read otherwise now, and is still older than what restated it.
    loads = {load.source_file: load for load in counted_loads(shop.lake)}
    assert loads["sales1.csv"].delivery_id < loads["sales2.csv"].delivery_id == second.delivery_id
    # With yes to everything, too: what restated it is delivered with it.
    done = again(shop, right)
    assert done.loads == ()
    assert "1 row of it were replaced since" in done.warnings[0]


def test_increments_that_landed_as_restatements_are_mended(shop: Shop) -> None:
    shop.put(receipts(range(3)), "sales1.csv")
    shop.ingest(mapping(duplicates="sum"))
    shop.put(receipts(range(3, 5)), "sales2.csv")
    again(shop, mapping(duplicates="sum"))
    mended = again(shop, mapping(duplicates="sum", deliveries="adds"))
    assert len(mended.loads) == 2
    assert (mended.replaced.sum_before, mended.replaced.sum_after) == (2, 5)
    assert mended.questions == ()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"grain": "weekly"}, "grain becomes weekly and was daily"),
        ({"week_ends_on": "friday"}, "week_ends_on becomes friday and was saturday"),
        ({"duplicates": "sum"}, "duplicates becomes sum and was reject"),
    ],
)
def test_settings_of_landed_rows_are_not_changed_in_silence(
    shop: Shop, changes: dict[str, str], text: str
) -> None:
    shop.put(csv([date(2026, 1, 3), date(2026, 1, 10)], 1))
    shop.ingest(mapping())
    shop.put(csv([date(2026, 1, 16 if "week_ends_on" in changes else 17)], 1), "sales2.csv")
    assert text in questions(shop, mapping(**changes))


def test_a_delivery_is_taken_back_as_a_whole(shop: Shop) -> None:
    shop.put(csv(days(2), 1), "sales1.csv")
    shop.put(csv(days(2), 2, store="t"), "sales2.csv")
    result = shop.ingest(mapping())
    assert retract(result.delivery_id, shop.lake, "wrong") == [x.load_id for x in result.loads]
    assert counted_loads(shop.lake) == []
    with pytest.raises(UserError, match="does not exist"):
        retract(result.delivery_id, shop.lake, "again")
