"""No case is passed over: each folder has its right answer among the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from support.cases import case_names

from .test_landing import LANDINGS

TESTS = Path(__file__).parents[1]

ANSWERED = {
    "cold_start_empty_target": (
        "cases/test_container.py::test_a_series_without_sales_is_forecast",
    ),
    "ctrl_c_in_ingest": ("test_faults.py::test_a_real_ctrl_c_in_a_landing_leaves_nothing",),
    "disk_full": (
        "test_faults.py::test_an_error_of_the_disk_is_told_wherever_it_comes",
        "test_faults.py::test_a_full_disk_is_told_while_the_lock_is_taken",
        "test_faults.py::test_a_full_disk_is_told_while_the_marts_are_published",
    ),
    "empty_warehouse_file": ("test_faults.py::test_dbt_on_an_empty_file_says_what_to_do",),
    "home_not_writable": ("test_faults.py::test_a_home_that_cannot_be_written_is_told",),
    "key_spellings": ("cases/test_build.py::test_key_spellings",),
    "late_reporting_stores": ("cases/test_build.py::test_late_reporting_stores",),
    "latin1": ("cases/test_landing.py::test_latin1",),
    "mapping_mended_after_landing": ("cases/test_landing.py::test_mapping_mended_after_landing",),
    "mixed_date_formats": ("cases/test_landing.py::test_mixed_date_formats",),
    "month_files_overlap": ("cases/test_build.py::test_month_files_overlap",),
    "monthly_advice": ("cases/test_landing.py::test_monthly_advice",),
    "no_sale_within_context": (
        "cases/test_container.py::test_a_series_that_stopped_keeps_its_level",
        "cases/test_build.py::test_no_sale_within_context",
    ),
    "number_spellings": ("cases/test_landing.py::test_number_spellings",),
    "offset_timestamps_csv": ("cases/test_landing.py::test_offset_timestamps_csv",),
    "original_put_back": ("cases/test_build.py::test_original_put_back",),
    "renamed_and_discontinued": ("cases/test_build.py::test_renamed_and_discontinued",),
    "rossmann_state_holiday": ("cases/test_build.py::test_rossmann_state_holiday",),
    "sum_across_files": ("cases/test_build.py::test_sum_across_files",),
    "two_mappings_one_home": ("cases/test_landing.py::test_two_mappings_one_home",),
    "wide_weeks": (
        "ingest/test_wide_files.py::test_numbered_weeks",
        "ingest/test_wide_files.py::test_a_wide_file_is_told_to_be_so",
    ),
    "year_typo_2002": ("cases/test_build.py::test_year_typo_2002",),
}
"""Tests of the right answer, by case, beside those in the table of landings."""


def defined(test: str) -> bool:
    """Whether a test is there; its file is read and not imported, as it may need PyTorch."""
    file, _, name = test.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("case", case_names() or ["none"])
def test_each_case_has_its_right_answer(case: str) -> None:
    assert case in ANSWERED.keys() | LANDINGS.keys(), (
        f"{case} is a case without a test: write what its README calls right"
    )


@pytest.mark.parametrize("test", sorted({test for tests in ANSWERED.values() for test in tests}))
def test_the_answers_are_there(test: str) -> None:
    assert defined(test)
