"""`compute` and `keep` of a mapping: what lands, what is left out, and what is refused."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salescast.errors import UserError
from salescast.ingest import IngestResult, ingest
from salescast.lake import Lake
from salescast.mapping import load_mapping

ORDERS = """\
Order,Branch,Item,When,Quantity,UnitPrice,Status
1,B1,Tea,2026-01-05,3,2.55,paid
2,B1,Tea,2026-01-05,-1,2.55,paid
3,B1,Tea,2026-01-06,2,1.10,Cancelled
4,B1,Tea,2026-01-06,4,,paid
5,B2,Tea,2026-01-06,five,2.00,
6,B2,Tea,2026-01-07,1,0.3,
"""
SALES = """
    file: orders.csv
    columns: { store: Branch, department: Item, date: When }
"""

Land = Callable[..., tuple[IngestResult, list[tuple[Any, ...]]]]


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands orders under a mapping whose sales table has further lines; gives the landed rows."""

    def run(
        keys: str,
        content: str = ORDERS,
        *,
        top: str = "",
        columns: str = "sales",
        table: str = SALES,
    ) -> tuple[IngestResult, list[tuple[Any, ...]]]:
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        (folder / "orders.csv").write_text(content, encoding="utf-8")
        mapping = tmp_path / "own.yml"
        mapping.write_text(
            f"grain: daily\nweek_ends_on: saturday\nduplicates: sum\n{top}\ntables:\n  sales:"
            + table
            + textwrap.indent(textwrap.dedent(keys), "    "),
            encoding="utf-8",
        )
        lake = Lake(tmp_path / "home" / "lake")
        result = ingest(folder, load_mapping(mapping, tmp_path), lake)
        rows = duckdb.execute(
            f"select source_row, {columns} from read_parquet($files) order by source_row",
            {"files": [str(path) for path in (lake.root / "raw_sales").rglob("*.parquet")]},
        ).fetchall()
        return result, rows

    return run


def test_a_product_lands_exact_and_what_cannot_be_computed_shows_its_inputs(land: Land) -> None:
    _, rows = land("compute: { sales: Quantity * UnitPrice }")
    assert rows == [
        (1, "7.65"),
        (2, "-2.55"),
        (3, "2.2"),
        (4, "Quantity: 4, UnitPrice: "),
        (5, "Quantity: five, UnitPrice: 2.00"),
        (6, "0.3"),
    ]


def test_keep_leaves_rows_out_and_tells_their_number_and_sales(land: Land) -> None:
    result, rows = land("""\
        compute: { sales: Quantity * UnitPrice }
        keep: ["Status not in ('cancelled', 'refunded')", "Quantity > 0"]
        """)
    # An empty status is kept, and so is a quantity that is no number: it is rejected in sight.
    assert [row[0] for row in rows] == [1, 4, 5, 6]
    assert result.warnings[0] == "orders.csv: keep leaves out 2 rows; their sales sum to -0.35"


def test_a_text_that_is_nearly_in_the_file_is_told(land: Land) -> None:
    result, rows = land("""\
        compute: { sales: Quantity }
        keep: "Status not in ('canceled', 'refunded')"
        """)
    assert len(rows) == 6
    told = "keep compares 'Status' with 'canceled', which no row has; 'cancelled' is there"
    assert [warning for warning in result.warnings if "keep" in warning] == [f"orders.csv: {told}"]


def test_left_out_sales_of_a_column_are_summed_too(land: Land) -> None:
    result, rows = land(
        "keep: Quantity >= 0",
        table=SALES.replace("date: When", "date: When, sales: UnitPrice"),
    )
    assert [row[0] for row in rows] == [1, 3, 4, 5, 6]
    assert result.warnings[0] == "orders.csv: keep leaves out 1 row; their sales sum to 2.55"


def test_returns_that_are_written_without_a_sign_get_one(land: Land) -> None:
    content = ORDERS.replace("-1,2.55,paid", "1,2.55,Return")
    _, rows = land("compute: { sales: \"if(Status = 'return', -Quantity, Quantity)\" }", content)
    assert rows[:3] == [(1, "3"), (2, "-1"), (3, "2")]


def test_texts_and_flags_can_be_computed(land: Land) -> None:
    _, rows = land(
        """\
        compute:
          sales: Quantity
          store: "if(Branch = 'b1', 'Main', Branch)"
          is_stocked_out: Quantity = 1
          is_holiday: "Status in ('paid')"
        """,
        table="\n    file: orders.csv\n    columns: { department: Item, date: When }\n",
        columns="store, sales, is_stocked_out, is_holiday",
    )
    assert rows[0] == (1, "Main", "3", "false", "true")
    assert rows[4] == (5, "B2", "Quantity: five", None, "false")
    assert rows[5] == (6, "B2", "1", "true", "false")


def test_numbers_of_expressions_are_read_as_sales_are(land: Land) -> None:
    content = "Branch;Item;When;Quantity;UnitPrice\nB1;Tea;2026-01-05;2;1.234,56\n"
    _, rows = land(
        "compute: { sales: Quantity * UnitPrice * 0.5 }", content, top="decimal_sign: ','"
    )
    assert rows == [(1, "1234.56")]


def test_null_texts_are_empty(land: Land) -> None:
    content = ORDERS.replace("paid", "NA")
    _, rows = land('compute: { sales: "if(Status is empty, 1, 0)" }', content)
    assert [row[1] for row in rows] == ["1", "1", "0", "1", "1", "1"]


def test_numbers_of_parquet(land: Land, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    table = pa.table(
        {
            "Branch": ["B1"] * 5,
            "Item": ["Tea"] * 5,
            "When": [f"2026-01-0{day}" for day in range(5, 10)],
            "Quantity": pa.array([3, None, 2, 4, 5]),
            "UnitPrice": [2.55, 1.0, float("nan"), 0.1, 0.1],
        }
    )
    pq.write_table(table, tmp_path / "in" / "orders.parquet")
    _, rows = land(
        "compute: { sales: Quantity * UnitPrice }\nkeep: Quantity != 3",
        "Branch,Item,When,Quantity,UnitPrice\nB1,Tea,2026-01-05,1,2\n",
        table=SALES.replace("orders.csv", '["orders.*"]'),
    )
    computed = ["0.4", "0.5", "2", "Quantity: , UnitPrice: 1", "Quantity: 2, UnitPrice: "]
    assert sorted(row[1] for row in rows) == computed


def test_columns_of_expressions_find_the_delimiter(land: Land) -> None:
    content = "When;Menge;Preis, brutto\n2026-01-05;2;1.5\n"
    _, rows = land(
        'constants: { store: a, department: b }\ncompute: { sales: "Menge * [Preis, brutto]" }',
        content,
        table="\n    file: orders.csv\n    columns: { date: When }\n",
    )
    assert rows == [(1, "3")]


def test_a_text_cannot_become_sql(land: Land) -> None:
    evil = "x'') or 1=1; drop table y; -- $path"
    result, rows = land(
        f"compute: {{ sales: Quantity }}\nkeep: \"Status != '{evil}'\"",
        ORDERS.replace("Cancelled", '"x\') or 1=1; drop table y; -- $path"'),
    )
    assert [row[0] for row in rows] == [1, 2, 4, 5, 6]
    assert "keep leaves out 1 row;" in result.warnings[0]


def test_a_line_that_cannot_be_read_is_not_left_out(land: Land) -> None:
    store = "store: \"if(Status = '', 'x', Branch)\""
    keys = f"compute: {{ sales: Quantity, {store} }}\nkeep: \"Status = 'paid'\""
    table = "\n    file: orders.csv\n    columns: { department: Item, date: When }\n"
    result, rows = land(keys, ORDERS + "Total,17\n", table=table, columns="store, unreadable_line")
    assert rows == [(1, "B1", None), (2, "B1", None), (4, "B1", None), (7, None, "Total,17")]
    assert any("keep leaves out 3 rows;" in warning for warning in result.warnings)


def test_rows_of_a_wide_file_are_left_out(land: Land) -> None:
    keys = """\
        constants: { store: all }
        unpivot: { columns: ["2026-*"], date_format: "%Y-%m-%d" }
        keep: Kind != 'sum'
        """
    table = "\n    file: orders.csv\n    columns: { department: Item }\n"
    content = "Item,Kind,2026-01-05,2026-01-06\nTea,item,3,4\nAll,sum,3,4\n"
    result, rows = land(keys, content, table=table, columns="department, date, sales")
    assert [row[1:] for row in rows] == [("Tea", "2026-01-05", "3"), ("Tea", "2026-01-06", "4")]
    assert result.warnings[0] == "orders.csv: keep leaves out 2 rows; their sales sum to 7.00"


def test_a_date_cannot_be_computed(land: Land) -> None:
    table = "\n    file: orders.csv\n    columns: { store: Branch, department: Item }\n"
    with pytest.raises(UserError, match="'date' cannot be computed; give it in columns"):
        land("compute: { sales: Quantity, date: When }", table=table)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("compute: { sales: Quantity ** 2 }", "at character 11: a value is expected"),
        ("compute: { sales: \"Status = 'x'\" }", "is a condition, where a number is needed"),
        ("compute: { sale: Quantity }", "did you mean 'sales'?"),
        ("compute: { sales: Quantity, date: When }", "'date' is given in columns and in compute"),
        ("compute: { sales: Quantity }\nkeep: Status", "is a column, where a condition is needed"),
        ("compute: { sales: Quantity * UnitPrise }", "did you mean [UnitPrice]?"),
        ("compute: { sales: Quantity }\nkeep: status = paid", "names: 'status'"),
        ("compute: { sales: Quantity }\nkeep: Quantity > 100", "keep leaves out every row: 1"),
        ("compute: { sales: Status }", "most values of sales are no numbers"),
        ("keep: Quantity > 0", "'sales' is needed"),
    ],
)  # fmt: skip
def test_what_is_refused(land: Land, tmp_path: Path, keys: str, told: str) -> None:
    content = "\n".join(ORDERS.splitlines()[:2]) + "\n"
    with pytest.raises(UserError) as raised:
        land(keys, content)
    assert told in str(raised.value)
    assert not list((tmp_path / "home").rglob("*.parquet"))
