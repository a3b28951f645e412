"""The lint of compiled statements sees what Athena would refuse."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.dbt

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lint() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lint_athena", ROOT / "scripts/lint_athena.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_good_statement_has_no_fault(lint: ModuleType) -> None:
    sql = (
        'with\n\nsales as (\n\n    select * from "awsdatacatalog"."x_lake"."raw_sales"\n\n)\n\n'
        "select\n    store,\n    array[1, 2] as cat,\n    "
        "cast(array[] as array(double)) as dynamic_feat,\n    "
        "count(*) filter (where sales is not null) as n_sales\n\n"
        "from sales\ngroup by 1\n"
    )
    assert list(lint._faults(sql)) == []


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select store from sales qualify row_number() over (order by store) = 1\n", "PRS"),
        ("select sales::double as sales from raw\n", "SYNTAX ::"),
        ("select target[1:2] as target from records\n", "SYNTAX :"),
        ("select [1, 2] as cat\n", "SYNTAX [1, 2]"),
        ("select cast(sales as string) as sales from raw\n", "TYPE string"),
        ("select list_sum(target) as total from records\n", "FUNC list_sum"),
        ("select 1 as n\n-- " + 200_000 * "x" + "\n", "SIZE"),
    ],
    ids=["parse", "cast", "slice", "array", "type", "function", "length"],
)
def test_what_athena_would_refuse_is_a_fault(lint: ModuleType, sql: str, code: str) -> None:
    assert any(code in fault for fault in lint._faults(sql))
