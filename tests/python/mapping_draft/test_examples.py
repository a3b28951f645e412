"""The drafts for the examples of docs/your-data.md: the same numbers, or a line to check."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mapping_draft.test_draft import TODAY, landed
from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.mapping import load_mapping
from salescast.mapping_draft import Draft, draft_mapping
from support.home import REPOSITORY

EXAMPLES = REPOSITORY / "docs" / "examples"


def drafted(name: str, place: Path) -> tuple[Draft, Counter[tuple[Any, ...]]]:
    """The draft for an example's folder, and the rows with a date that land with it."""
    draft = draft_mapping([EXAMPLES / name], today=TODAY)
    (place / "drafted.yml").write_text(draft.text, encoding="utf-8")
    lake = Lake(place / "drafted")
    ingest(EXAMPLES / name, load_mapping(place / "drafted.yml", place), lake)
    return draft, Counter({row: n for row, n in landed(lake).items() if row[2]})


def own(name: str, place: Path) -> Counter[tuple[Any, ...]]:
    """The rows that land with the mapping of the example, all files at once."""
    lake = Lake(place / "own")
    ingest(EXAMPLES / name, load_mapping(EXAMPLES / f"{name}.yml", place), lake)
    return landed(lake)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("till", ["2 rows without a date", "the same sales seem to stand in two files"]),
        ("erp", ["are named 'Total', 314,918.00 together: totals"]),
    ],
)
def test_the_draft_lands_the_same_numbers(name: str, asked: list[str], tmp_path: Path) -> None:
    draft, rows = drafted(name, tmp_path)
    assert rows == own(name, tmp_path)
    for each in asked:
        assert each in "\n".join(draft.checks), draft.text


def test_what_order_lines_do_not_tell_is_asked(tmp_path: Path) -> None:
    draft, rows = drafted("webshop", tmp_path)
    checks = "\n".join(draft.checks)
    for asked in (
        'write compute: { sales: "quantity * unit_price" }',
        "times are in UTC",
        "which were not sold?",
        "(restates) or new lines of days that were delivered before (adds)?",
        "a line that is delivered twice counts twice",
    ):
        assert asked in checks, draft.text
    # Units of both files, those of cancelled lines left out.
    assert sum(row[3] * n for row, n in rows.items()) == 41
