"""Files in folders below the one that is landed are not passed over without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.source_tables import Shop, mapping

HEADER = "store,department,date,sales\n"
ROW = f"{HEADER}a,b,2026-01-03,1\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def put_below(shop: Shop, *names: str) -> None:
    for name in names:
        (shop.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shop.put(ROW, name)


def test_files_below_are_told(shop: Shop) -> None:
    names = [f"2025/sales_{month:02}.csv" for month in range(1, 13)]
    put_below(shop, "sales.csv", *names, "2024/till/other.parquet")
    (warning,) = shop.ingest(mapping()).warnings
    assert "13 files in folders below are passed over" in warning
    assert "2024/till/other.parquet, 2025/sales_01.csv, 2025/sales_02.csv and 10 more" in warning
    assert "'**/*.parquet'" in warning


def test_a_pattern_reads_them(shop: Shop) -> None:
    put_below(shop, "sales.csv", "2025/sales.csv", "2025/more.csv")
    shop.put(f"{HEADER}a,b,2025-01-04,1\n", "2025/sales.csv")
    result = shop.ingest(mapping(sales__file="**/sales*.csv"))
    assert {load.source_file for load in result.loads} == {"sales.csv", "2025/sales.csv"}
    assert "2025/more.csv" in result.warnings[0]


@pytest.mark.parametrize("pattern", ["sales*", "**/*.csv", "*/*.csv"])
def test_what_is_hidden_needs_no_word_and_is_not_read(shop: Shop, pattern: str) -> None:
    hidden = (".ipynb_checkpoints/sales.csv", "old/.till/sales.csv", "old/.sales.csv")
    put_below(shop, "sales.csv", "in/sales.csv", *hidden, "old/readme.md")
    (shop.folder / "in" / "sales.csv").write_text(f"{HEADER}a,b,2026-01-04,1\n")
    result = shop.ingest(mapping(sales__file=["sales.csv", pattern]))
    assert {load.source_file for load in result.loads} <= {"sales.csv", "in/sales.csv"}
    assert not any(name in str(result.warnings) for name in (*hidden, "readme"))


def test_a_folder_that_holds_itself_is_looked_into_once(shop: Shop) -> None:
    put_below(shop, "sales.csv", "old/sales.csv")
    (shop.folder / "old" / "again").symlink_to(shop.folder, target_is_directory=True)
    (warning,) = shop.ingest(mapping()).warnings
    assert "1 file in folders below is passed over: old/sales.csv;" in warning


def test_a_folder_with_the_name_of_a_file_is_looked_into(shop: Shop) -> None:
    put_below(shop, "sales.csv", "sales_2025.parquet/part-0.parquet")
    (warning,) = shop.ingest(mapping()).warnings
    assert "'sales_2025.parquet/*.parquet'" in warning


def test_without_sales_in_the_folder_those_below_are_named(shop: Shop) -> None:
    put_below(shop, "2025/sales.csv")
    text = shop.refused(mapping(), "no file matches", "'2025/*.csv'")
    assert "in folders below: 2025/sales.csv" in text


def test_a_single_file_tells_of_no_other(shop: Shop) -> None:
    put_below(shop, "sales.csv", "old/sales.csv")
    shop.folder = shop.folder / "sales.csv"
    assert shop.ingest(mapping()).warnings == ()
