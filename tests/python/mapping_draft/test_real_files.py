"""A drafted mapping on files that people really have; they are not part of the repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mapping_draft.test_draft import drafted, landed
from salescast.errors import UserError
from salescast.ingest import ingest
from salescast.lake import Lake
from salescast.mapping import load_mapping
from salescast.mapping_draft import draft_mapping
from support.cases import CASES, NO_CASES, case_folders
from support.walmart import NO_WALMART, WALMART, has_walmart

MONTHLY = "monthly data cannot be forecast by week"
# Rows and their sum where the case's own mapping has no key for what is in the file.
WHAT_THEY_HOLD = {"latin1": (60, 600), "mixed_date_formats": (1000, 322966.749)}


def numbers(lake: Lake) -> Counter[tuple[Any, ...]]:
    """Rows of sales with a number; a text for no value may land as no value or as itself."""
    return Counter({row: n for row, n in landed(lake).items() if row[3] is not None})


@pytest.mark.skipif(not case_folders(), reason=NO_CASES)
def test_cases(tmp_path: Path) -> None:
    n_good = 0
    for folder in case_folders():
        name = str(folder.relative_to(CASES))
        place = tmp_path / name.replace("/", "_")
        place.mkdir()
        draft = draft_mapping([folder])
        path = place / "drafted.yml"
        path.write_text(draft.text, encoding="utf-8")
        mapping = load_mapping(path, place)
        if any(MONTHLY in check for check in draft.checks):
            with pytest.raises(UserError, match=MONTHLY):
                ingest(folder, mapping, Lake(place / "lake"))
            continue
        ingest(folder, mapping, Lake(place / "lake"))
        found = numbers(Lake(place / "lake"))
        if name in WHAT_THEY_HOLD:
            total = sum(row[3] * n for row, n in found.items())
            assert (found.total(), round(total, 3)) == WHAT_THEY_HOLD[name], draft.text
        else:
            likely = (folder / "mapping.yml", folder.parent / "mapping.yml")
            own = next(path for path in likely if path.is_file())
            ingest(folder, load_mapping(own, place), Lake(place / "own"))
            expected = numbers(Lake(place / "own"))
            if mapping.tables.sales.constants.get("store"):
                # A file without stores leaves the name of the only one to the user.
                expected = Counter(("all", *row[1:]) for row in expected.elements())
            assert found == expected, draft.text
        n_good += 1
    assert n_good >= 20


@pytest.mark.skipif(not has_walmart(), reason=NO_WALMART)
def test_walmart(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.symlink_to(WALMART, target_is_directory=True)
    draft, mapping = drafted(folder)
    own = load_mapping("walmart", Path(__file__).parents[3] / "mappings")
    assert mapping.tables.sales.columns == own.tables.sales.columns
    assert (mapping.grain, mapping.week_ends_on, mapping.week_label) == ("weekly", "friday", "end")
    assert mapping.tables.related is not None and own.tables.related is not None
    drafted_series = {c for n, c in mapping.tables.related.source_columns().items() if "." in n}
    assert drafted_series == {c for n, c in own.tables.related.source_columns().items() if "." in n}
    assert mapping.tables.stores is not None and own.tables.stores is not None
    assert mapping.tables.stores.columns == own.tables.stores.columns
    assert "421,570 rows, 2010-02-05 to 2012-10-26, sales 6,737,218,987.11" in draft.text
    lake = Lake(tmp_path / "lake")
    result = ingest(folder, mapping, lake)
    assert sum(load.n_rows for load in result.loads if load.table_name == "raw_sales") == 421_570
