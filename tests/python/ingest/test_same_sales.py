"""Sales that would count twice are asked about also where a column that is not mapped differs."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from salescast.ingest import IngestResult, ingest
from salescast.mapping import Mapping
from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales,exported_at\n"
SUMS = mapping(duplicates="sum")
ADDS = mapping(duplicates="sum", deliveries="adds")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def land(shop: Shop, described: Mapping) -> IngestResult:
    return ingest(shop.folder, described, shop.lake, decide=lambda _: True)


def export(days: Iterable[int], at: str, store: str = "s") -> str:
    return HEADER + "".join(f"{store},d,2026-10-{day:02},{day}.5,{at}\n" for day in days)


def till(days: Iterable[int], seed: int, items: int = 40, mean: int = 1) -> str:
    """Lines of a till: one a piece, at the price of the item, with a running number."""
    chance = random.Random(seed)
    lines = [
        f"s,item{item},2026-10-{day:02},{item % 7 + 1}"
        for day in days
        for item in range(items)
        for _ in range(chance.choices(range(5), [0.37, 0.37, 0.18, 0.06, 0.02])[0] * mean)
    ]
    return HEADER + "".join(f"{line},{seed}{n}\n" for n, line in enumerate(lines))


def test_two_exports_in_one_delivery_are_asked_about(shop: Shop) -> None:
    shop.put(export(range(2, 20), "10:00"))
    shop.put(export(range(2, 20), "10:05"), "sales (1).csv")
    (question,) = land(shop, SUMS).questions
    assert "sales (1).csv has the very sales of sales.csv for 18 of 18 stores" in question


@pytest.mark.parametrize("described", [ADDS, mapping(deliveries="adds")])
def test_an_export_again_with_a_day_more_is_asked_about(shop: Shop, described: Mapping) -> None:
    shop.put(export(range(2, 20), "10:00"))
    assert land(shop, described).questions == ()
    shop.put(export(range(2, 21), "11:00"))
    (question,) = land(shop, described).questions
    assert "for 18 of 19" in question


def test_lines_of_a_till_with_a_running_number_are_asked_about(shop: Shop) -> None:
    shop.put(till(range(1, 8), 1))
    land(shop, ADDS)
    shop.put(till(range(1, 8), 1).replace("\n", "b\n").replace("exported_atb", "exported_at"))
    (question,) = land(shop, ADDS).questions
    assert "the very sales of" in question


def test_one_export_again_as_many_files_is_asked_about_once(shop: Shop) -> None:
    stores = [f"s{n}" for n in range(8)]
    whole = "".join(export([5, 6], "10:00", store).removeprefix(HEADER) for store in stores)
    shop.put(HEADER + whole)
    land(shop, ADDS)
    (shop.folder / "sales.csv").unlink()
    for store in stores:
        shop.put(export([5, 6], "11:00", store), f"sales_{store}.csv")
    (question,) = land(shop, ADDS).questions
    assert "and 5 more files" in question


def test_one_day_delivered_in_parts_and_then_as_a_whole_is_asked_about(shop: Shop) -> None:
    for part in (1, 2):
        shop.put(till([part], part).replace(f"-0{part},", "-05,"))
        land(shop, ADDS)
    lines = [till([part], part).removeprefix(HEADER) for part in (1, 2)]
    whole = lines[0].replace("-01,", "-05,") + lines[1].replace("-02,", "-05,")
    shop.put(HEADER + whole.replace("\n", "again\n"))
    assert "the very sales of" in "".join(land(shop, ADDS).questions)


def test_two_exports_put_together_are_asked_about(shop: Shop) -> None:
    days = range(2, 20)
    shop.put(export(days, "10:00") + export(days, "10:05").removeprefix(HEADER))
    (question,) = land(shop, SUMS).questions
    assert "has 18 of its 18 sales two or three times" in question


def test_word_for_word_is_asked_once(shop: Shop) -> None:
    shop.put(export(range(2, 20), "10:00"))
    land(shop, ADDS)
    shop.put(export(range(2, 20), "10:00") + "\n")
    (question,) = land(shop, ADDS).questions
    assert "word for word" in question


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mean", [1, 5])
def test_the_lines_of_a_normal_week_raise_no_question(shop: Shop, seed: int, mean: int) -> None:
    for week in range(3):
        shop.put(till(range(7 * week + 1, 7 * week + 8), 3 * seed + week, mean=mean))
        assert land(shop, ADDS).questions == ()


@pytest.mark.parametrize("seed", range(3))
def test_the_afternoon_of_the_same_day_raises_no_question(shop: Shop, seed: int) -> None:
    for part in range(3):
        shop.put(till([5], 10 * seed + part))
        assert land(shop, ADDS).questions == ()


def test_channels_that_sell_little_and_their_zeros_raise_no_question(shop: Shop) -> None:
    for channel in ("web", "shop"):
        chance = random.Random(channel)
        sold = [chance.choices([0, 1, 2, 3], [0.9, 0.04, 0.03, 0.03])[0] for _ in range(3000)]
        rows = [
            f"s,d{n // 30},2026-10-{n % 30 + 1:02},{sales},{channel}\n"
            for n, sales in enumerate(sold)
        ]
        shop.put(HEADER + "".join(rows), f"sales_{channel}.csv")
    assert land(shop, SUMS).questions == ()


def test_sales_that_are_alike_on_all_days_raise_no_question(shop: Shop) -> None:
    days = [f"s,d,2026-{month:02}-{day:02},10," for month in (8, 9) for day in range(1, 29)]
    shop.put(HEADER + "".join(f"{row}10:30\n{row}20:30\n" for row in days))
    shop.put(HEADER + "".join(f"{row}web\n{row}web2\n" for row in days), "sales_web.csv")
    assert land(shop, SUMS).questions == ()


def test_what_does_not_count_twice_raises_no_question(shop: Shop) -> None:
    shop.put(export(range(2, 20), "10:00"))
    land(shop, mapping())
    shop.put(export(range(2, 20), "10:05"), "sales (1).csv")
    shop.put(export(range(2, 20), "10:06"))
    assert land(shop, mapping()).questions == ()


def test_lines_with_an_id_may_come_again_and_those_without_may_not(shop: Shop) -> None:
    described = mapping(sales__line_id=["exported_at"])
    shop.put(till(range(1, 8), 1))
    land(shop, described)
    shop.put(till(range(1, 8), 1) + "\n")
    assert land(shop, described).questions == ()
    # A number that each export counts anew names no line.
    shop.put(till(range(1, 8), 1).replace("\n", "b\n").replace("exported_atb", "exported_at"))
    assert "the very sales of" in "".join(land(shop, described).questions)
