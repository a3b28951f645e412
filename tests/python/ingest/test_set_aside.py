"""An ingest says which of the sales will not count, as staging will judge them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from salescast import commands
from salescast.ingest import told
from salescast.ingest.set_aside import NOT_SEEN
from salescast.settings import load_settings
from support.home import REPOSITORY
from support.source_tables import COLUMNS, Shop, mapping

HEADER = "store,department,date,sales\n"
TODAY = datetime.now(UTC).date()
SATURDAY = TODAY - timedelta(days=TODAY.isoweekday() % 7 + 1)
GOOD = [f"s,d{n},{SATURDAY},{n}" for n in range(40)]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def day(plus: int, of: date = SATURDAY) -> date:
    return of + timedelta(days=plus)


DAILY = {
    "line_unreadable": ["Total,600"],
    "store_missing": [f"NA,a,{SATURDAY},1", f"\u00a0,a,{SATURDAY},1", f",a,{SATURDAY},"],
    "department_missing": [f"s,null,{SATURDAY},1"],
    "date_missing": ["s,e,,1"],
    "date_invalid": ["s,e,soon,1", "s,e,2026-13-01,1", "s,e,2026-01-01x,1"],
    "date_out_of_range": ["s,e,1989-12-31,1", f"s,e,{day(9, TODAY)},1"],
    "sales_missing": [f"s,e,{SATURDAY},NA", f"s,f,{SATURDAY},"],
    "sales_invalid": [f"s,e,{SATURDAY},many", f"s,e,{SATURDAY},1_000", f"s,e,{SATURDAY},inf"],
    "sales_out_of_range": [f"s,e,{SATURDAY},1e13", f"s,e,{SATURDAY},-12345678901234"],
    "duplicate_key": [GOOD[3], f" s,d4 ,{SATURDAY},7"],
}
WEEKLY = {
    "date_is_no_week_label": [f"s,e,{day(-3)},1"],
    "week_is_not_over": [f"s,e,{day(7)},1"] if day(7) > day(1, TODAY) else [],
    "date_out_of_range": [f"s,e,{day(21)},1", f"s,e,{day(700)},1"],
}


def of_lines(troubles: dict[str, list[str]]) -> dict[str, int]:
    return {reason: len(lines) for reason, lines in troubles.items() if lines}


def content(troubles: dict[str, list[str]]) -> str:
    lines = [*GOOD, *(line for lines in troubles.values() for line in lines)]
    return HEADER + "\n".join(lines) + "\n"


@pytest.mark.parametrize(("grain", "troubles"), [("daily", DAILY), ("weekly", WEEKLY)])
def test_each_reason_is_told_with_its_rows(
    shop: Shop, grain: str, troubles: dict[str, list[str]]
) -> None:
    shop.put(content(troubles))
    result = shop.ingest(mapping(grain=grain, null_texts=["NA", "null"]))
    assert {each.reason: each.n_rows for each in result.set_aside} == of_lines(troubles)
    (line,) = [line for line in told(result) if "will not count" in line]
    for each in result.set_aside:
        assert f"{each.n_rows} {each.reason}" in line
        first = (HEADER + content(troubles)).split("\n").index(troubles[each.reason][0]) - 1
        assert each.place in ("", f"sales.csv, row {first}")


def test_weeks_named_by_their_first_day(shop: Shop) -> None:
    starts = [f"s,d{n},{day(-6 - 7 * n)},{n}" for n in range(10)]
    shop.put(HEADER + "\n".join([*starts, f"s,e,{day(1)},1", f"s,e,{day(0)},1"]) + "\n")
    result = shop.ingest(mapping(grain="weekly", week_label="start"))
    found = {each.reason: each.n_rows for each in result.set_aside}
    over = day(7) <= day(1, TODAY)
    assert found == {"date_is_no_week_label": 1} | ({} if over else {"week_is_not_over": 1})


def test_nothing_is_said_of_sales_that_count(shop: Shop) -> None:
    shop.put(content({}) + GOOD[0] + "\n")
    result = shop.ingest(mapping(duplicates="sum"))
    assert result.set_aside == ()
    assert not any("will not count" in line for line in told(result))


def test_repeated_lines_are_told(shop: Shop) -> None:
    shop.put(HEADER.strip() + ",line\n" + f"s,d,{SATURDAY},1,a\n" * 3 + f"s,d,{SATURDAY},1,\n" * 2)
    (found,) = shop.ingest(mapping(sales__line_id="line")).set_aside
    assert (found.reason, found.n_rows) == ("duplicate_line", 2)


@pytest.mark.parametrize(
    ("name", "row", "wanted"),
    [
        ("sales.csv", f"NA,d,{SATURDAY},1", "1 row has no store, because 'NA' is read as no value"),
        ("sales.csv", f"s,NULL,{SATURDAY},1\ns,NULL,{day(-1)},2", "2 rows have no department"),
        ("related.csv", f"NA,{SATURDAY},1", "has no store"),
        ("stores.csv", "NA", "has no store"),
        ("series_changes.csv", f"NA,d,,{SATURDAY}", "has no store"),
        ("series_changes.csv", "s,,NA,", "if it is the name of a store or department"),
    ],
)
def test_a_name_that_is_read_as_no_value_is_told(
    shop: Shop, name: str, row: str, wanted: str
) -> None:
    headers = {
        "sales.csv": HEADER,
        "related.csv": "store,date,p\n",
        "stores.csv": "store\n",
        "series_changes.csv": "store,department,renamed_from,closed_on\n",
    }
    shop.put(content({}))
    if name != "sales.csv":
        shop.put(f"{headers[name]}{row}\n", name)
    else:
        shop.put(content({"": [row]}))
    tables: dict[str, Any] = {
        "sales": {"file": "sales*", "columns": COLUMNS},
        "related": {"file": "rel*", "columns": {"store": "store", "date": "date"}, "series": "all"},
        "stores": {"file": "stores*", "columns": {"store": "store"}},
        "series_changes": {
            "file": "series*",
            "columns": {n: n for n in headers["series_changes.csv"].strip().split(",")},
        },
    }
    described = mapping().model_validate(
        {"name": "m", "grain": "daily", "week_ends_on": "saturday", "tables": tables}
    )
    (warning,) = shop.ingest(described).warnings
    assert wanted in warning
    text = "NULL" if "NULL" in row else "NA"
    assert f"null_texts: {[t for t in described.null_texts if t != text]}" in warning


def test_an_empty_name_needs_no_look_at_null_texts(shop: Shop) -> None:
    shop.put(content({"": [f",d,{SATURDAY},1"]}))
    result = shop.ingest(mapping())
    assert result.warnings == ()
    assert [each.reason for each in result.set_aside] == ["store_missing"]


def test_every_reason_of_staging_is_seen_or_known_not_to_be() -> None:
    model = REPOSITORY / "models/staging/retail/stg_retail__sales_judged.sql"
    reasons = set(re.findall(r"then '([a-z_]+)'", model.read_text(encoding="utf-8")))
    assert reasons - set(NOT_SEEN) == (set(DAILY) | set(WEEKLY)) - {"duplicate_key"}


@pytest.mark.dbt
def test_staging_sets_the_same_rows_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    folder, described = tmp_path / "in", tmp_path / "m.yml"
    folder.mkdir()
    (folder / "sales.csv").write_text(content(DAILY), encoding="utf-8")
    content_of_mapping = {
        **{"name": "m", "grain": "daily", "week_ends_on": "saturday"},
        **{"null_texts": ["NA", "null"]},
        "tables": {"sales": {"file": "sales*", "columns": COLUMNS}},
    }
    described.write_text(yaml.safe_dump(content_of_mapping), encoding="utf-8")
    checked = commands.check(load_settings(), folder, str(described))
    staged = {reason: n for _, status, reason, n, _ in checked.statuses if status == "rejected"}
    assert staged == {each.reason: each.n_rows for each in checked.result.set_aside}
    assert staged == of_lines(DAILY)
