"""The DuckDB warehouse on real files: exports, publishing, and dbt with what it says on failure."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from salescast.errors import RunError, UserError
from salescast.lake import Lake
from salescast.lake.trained_models import Encoding
from salescast.marts.reader import read_accuracy, read_rejected
from salescast.settings import Settings, load_settings
from salescast.warehouse import Cutoff
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.warehouse.landed import read_lower_bound

pytestmark = pytest.mark.dbt

CUTOFF, EARLIER = date(2026, 10, 31), date(2026, 8, 1)

TABLES = f"""
create schema shop_exports; create schema shop_baselines;
create schema shop_marts; create schema shop_reports;
create table shop_exports.exp_cutoffs as
    select date '{CUTOFF}' as cutoff_date, 2 as horizon_weeks, 'forecast' as kind,
        true as has_sales, date '{CUTOFF}' as newest_week_end_date
    union all select date '{EARLIER}', 2, 'backtest', false, date '{CUTOFF}';
create table shop_exports.exp_series as
    select date '{CUTOFF}' as cutoff_date, store || ':' || department as item_id,
        store as store_id, department as department_id
    from (values ('7', 'a'), ('7', 'b'), ('8', 'a')) as items(store, department);
create table shop_exports.exp_categories as
    select date '{CUTOFF}' as cutoff_date, * from (
        values (0, 0, '7'), (0, 1, '8'), (1, 0, 'a'), (1, 1, 'b')
    ) as map(cat_position, code, category_value);
create table shop_exports.exp_features as
    select date '{CUTOFF}' as cutoff_date, * from (
        values (1, 'promotion'), (0, 'event:easter')
    ) as register(feature_idx, feature_name);
create view shop_exports.exp_deepar__train as
    select item_id, cutoff_date, '2026-10-10 00:00:00' as series_start,
        [1.5, null, 0.0]::double[] as target, [0, 1]::integer[] as cat,
        store_id as dynamic_feat_key,
        [[0.0, 0.0, 1.0], [5.0, 6.0, store_id::double]]::double[][] as dynamic_feat
    from shop_exports.exp_series;
create view shop_exports.exp_deepar__inference as
    select item_id, cutoff_date, series_start, target, cat, dynamic_feat_key,
        [[0.0, 0.0, 1.0, 0.0, 0.0], [5.0, 6.0, dynamic_feat_key::double, 8.0, 9.0]]::double[][]
            as dynamic_feat
    from shop_exports.exp_deepar__train;
create table shop_baselines.baseline_snaive_52 as
    select date '{CUTOFF}' as cutoff_date, item_id, 1 as horizon_weeks
    from shop_exports.exp_series;
create table shop_marts.fct_forecast as select 1 as run_id;
create view shop_marts.dim_week as select date '{CUTOFF}' as week_end_date;
create table shop_reports.rpt_rejected_rows as
    select * from (values
        ('raw_sales', 'date_invalid', 2), ('raw_sales', 'store_unknown', 5),
        ('raw_related', 'date_invalid', 1)
    ) as rows(table_name, reason, n_rows);
create table shop_reports.rpt_forecast_accuracy as
    select 'backtest' as kind, model_id, date '{EARLIER}' as cutoff_date, level, horizon_band,
        2 as n_rows, error as sum_abs_error, 100e0 as sum_abs_actual,
        error / 4 as sum_pinball_loss_p10, error / 2 as sum_pinball_loss_p50,
        error / 4 as sum_pinball_loss_p90, 1 as n_inside_p10_p90, 2 as n_with_band,
        error as sum_abs_error_with_naive, naive_error as sum_naive_abs_error
    from (values
        ('deepar', 'store-department', '1-4', 5e0, 10e0),
        ('deepar', 'store-department', '5-13', 11e0, 10e0),
        ('deepar', 'chain', '1-4', 900e0, 1e0),
        ('snaive_52', 'store-department', '1-4', 20e0, 20e0)
    ) as rows(model_id, level, horizon_band, error, naive_error);
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        home=tmp_path / "home",
        schema_prefix="shop",
        threads=2,
        memory_limit="500MB",
        project_dir=tmp_path / "project",
    )


@pytest.fixture
def warehouse(settings: Settings) -> DuckDBWarehouse:
    settings.home.mkdir()
    connection = duckdb.connect(str(settings.warehouse_file))
    connection.execute(TABLES)
    connection.close()
    return DuckDBWarehouse(settings)


def records(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [json.loads(line) for line in text.splitlines()]


def change(settings: Settings, sql: str) -> None:
    connection = duckdb.connect(str(settings.warehouse_file))
    connection.execute(sql)
    connection.close()


def test_the_training_file_has_deepars_keys_and_no_ids(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    to = tmp_path / "work" / "train.json.gz"
    assert warehouse.export_training(CUTOFF, to).n_records == 3
    for record in records(to):
        assert list(record) == ["start", "target", "cat", "dynamic_feat"]
        assert record["start"] == "2026-10-10 00:00:00"
        assert record["target"] == [1.5, None, 0.0]
    assert warehouse.export_training(EARLIER, to).n_records == 0


def test_a_model_without_features_or_categories_has_no_such_key(
    warehouse: DuckDBWarehouse, settings: Settings, tmp_path: Path
) -> None:
    change(settings, "delete from shop_exports.exp_features")
    warehouse.export_training(CUTOFF, tmp_path / "a.json.gz")
    assert list(records(tmp_path / "a.json.gz")[0]) == ["start", "target", "cat"]
    encoding = warehouse.export_encoding(CUTOFF, tmp_path)
    warehouse.export_inference(CUTOFF, tmp_path / "a.json", encoding)
    assert list(records(tmp_path / "a.json")[0]) == ["item_id", "start", "target", "cat"]
    change(settings, "delete from shop_exports.exp_categories")
    encoding = warehouse.export_encoding(CUTOFF, tmp_path)
    warehouse.export_inference(CUTOFF, tmp_path / "b.json", encoding)
    assert list(records(tmp_path / "b.json")[0]) == ["item_id", "start", "target"]


def test_the_inference_file_has_ids_first_in_an_order_that_is_not_theirs(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    encoding = warehouse.export_encoding(CUTOFF, tmp_path)
    assert encoding.features == ("event:easter", "promotion")
    assert warehouse.export_inference(CUTOFF, tmp_path / "a.json", encoding) == 3
    warehouse.export_inference(CUTOFF, tmp_path / "b.json", encoding)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    by_item = {record["item_id"]: record for record in records(tmp_path / "a.json")}
    assert list(by_item["7:a"]) == ["item_id", "start", "target", "cat", "dynamic_feat"]
    assert {item: record["cat"] for item, record in by_item.items()} == {
        "7:a": [0, 0],
        "7:b": [0, 1],
        "8:a": [1, 0],
    }
    # Features are the store's own, although each store's are made once.
    assert by_item["7:a"]["dynamic_feat"][1] == [5, 6, 7, 8, 9]
    assert by_item["7:b"]["dynamic_feat"] == by_item["7:a"]["dynamic_feat"]
    assert by_item["8:a"]["dynamic_feat"][1] == [5, 6, 8, 8, 9]


def test_many_series_are_written_in_parts_of_one_file(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.export_training(CUTOFF, tmp_path / "whole.json.gz")
    monkeypatch.setattr("salescast.warehouse.duckdb._SERIES_A_PART", 1)
    assert warehouse.export_training(CUTOFF, tmp_path / "parts.json.gz").n_records == 3
    whole, parts = records(tmp_path / "whole.json.gz"), records(tmp_path / "parts.json.gz")
    assert sorted(map(json.dumps, whole)) == sorted(map(json.dumps, parts))
    assert {path.name for path in tmp_path.iterdir()} >= {"whole.json.gz", "parts.json.gz"}
    assert not list(tmp_path.glob("part-*"))


def test_a_trained_models_own_codes_and_features_are_used(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    categories = tmp_path / "old.parquet"
    connection = duckdb.connect()
    connection.execute(
        f"""
        copy (
            select * from (values (0, 5, '8'), (0, 4, '7'), (1, 9, 'a'))
                as map(cat_position, code, category_value)
        ) to '{categories}' (format parquet)
        """
    )
    connection.close()
    n = warehouse.export_inference(
        CUTOFF, tmp_path / "a.json", Encoding(("promotion",), categories)
    )
    by_item = {record["item_id"]: record for record in records(tmp_path / "a.json")}
    assert n == 2
    assert {item: record["cat"] for item, record in by_item.items()} == {
        "7:a": [4, 9],
        "8:a": [5, 9],
    }
    assert by_item["7:a"]["dynamic_feat"] == [[5, 6, 7, 8, 9]]


def test_a_feature_that_is_gone_is_named(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    encoding = warehouse.export_encoding(CUTOFF, tmp_path)
    wanted = Encoding(("promotion", "price"), encoding.categories)
    with pytest.raises(UserError, match=r"does not have: price\.") as caught:
        warehouse.export_inference(CUTOFF, tmp_path / "a.json", wanted)
    assert "event:easter, promotion" in str(caught.value)


def test_baselines_and_cutoffs_are_read(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    to = tmp_path / "naive.parquet"
    assert warehouse.export_baseline("baseline_snaive_52", CUTOFF, to) == 3
    assert pq.read_metadata(to).num_rows == 3
    with pytest.raises(UserError, match="no baseline baseline_magic"):
        warehouse.export_baseline("baseline_magic", CUTOFF, to)
    assert warehouse.cutoffs() == [
        Cutoff(EARLIER, 2, "backtest", False, CUTOFF),
        Cutoff(CUTOFF, 2, "forecast", True, CUTOFF),
    ]


def test_publishing_replaces_the_file_under_its_readers(
    warehouse: DuckDBWarehouse, settings: Settings
) -> None:
    (settings.home / ".marts.duckdb.part").write_text("left by a kill")
    path = warehouse.publish()
    reader = duckdb.connect(str(path), read_only=True)
    tables = reader.sql(
        "select table_schema, table_name, table_type from information_schema.tables order by all"
    ).fetchall()
    assert tables == [
        ("shop_marts", "dim_week", "BASE TABLE"),
        ("shop_marts", "fct_forecast", "BASE TABLE"),
        ("shop_reports", "rpt_forecast_accuracy", "BASE TABLE"),
        ("shop_reports", "rpt_rejected_rows", "BASE TABLE"),
    ]
    change(settings, "insert into shop_marts.fct_forecast values (2)")
    count = "select count(*) from shop_marts.fct_forecast"
    warehouse.publish()
    assert reader.sql(count).fetchall() == [(1,)]
    reader.close()
    again = duckdb.connect(str(path), read_only=True)
    assert again.sql(count).fetchall() == [(2,)]
    again.close()
    assert not list(settings.home.glob(".marts*"))


def test_accuracy_is_a_ratio_of_sums(warehouse: DuckDBWarehouse, settings: Settings) -> None:
    path = warehouse.publish()
    deepar, naive = read_accuracy(path, schema="shop")
    assert (deepar.model_id, naive.model_id) == ("deepar", "snaive_52")
    assert deepar.wape == pytest.approx(16 / 200)
    assert deepar.wql == pytest.approx(2 * 16 / 3 / 200)
    assert deepar.coverage == pytest.approx(0.5)
    assert deepar.value_added == pytest.approx(1 - 16 / 20)
    assert naive.value_added == 0
    champion_first = read_accuracy(path, schema="shop", first="snaive_52")
    assert [row.model_id for row in champion_first] == ["snaive_52", "deepar"]
    assert read_accuracy(path, schema="shop", cutoffs=[CUTOFF]) == []
    assert len(read_accuracy(path, schema="shop", cutoffs=[CUTOFF, EARLIER])) == 2


def test_nothing_to_publish_and_no_warehouse_are_told(settings: Settings, tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(settings)
    with pytest.raises(RunError, match="no warehouse yet"):
        warehouse.cutoffs()
    settings.home.mkdir(exist_ok=True)
    duckdb.connect(str(settings.warehouse_file)).close()
    with pytest.raises(RunError, match="no marts to publish"):
        warehouse.publish()
    assert not settings.marts_file.exists()


def test_what_has_landed_is_read_from_the_lake(settings: Settings) -> None:
    warehouse = DuckDBWarehouse(settings)
    empty = warehouse.landed()
    assert (empty.first_date, empty.cutoff_request) == (None, None)

    lake, now = Lake(settings.lake), datetime.now(UTC).replace(tzinfo=None)
    for load_id, day in (("l1", "2026-01-03"), ("l2", "2026-10-31")):
        sale = {"store": "1", "department": "a", "date": day, "sales": "1", "load_id": load_id}
        # Dates that staging rejects do not widen the range: no date at all, or one of the future.
        unusable = [{**sale, "date": text} for text in ("31/12/2030", "2150-01-01", "1066-10-14")]
        rows = [{**row, "loaded_at": now} for row in (sale, *unusable)]
        lake.append("raw_sales", rows)
        lake.append("raw_loads", [{"load_id": load_id, "loaded_at": now}])
    for settings_id, bound in (("s1", "5"), ("s2", "-1.5")):
        row = {"settings_id": settings_id, "section": "source", "name": ""}
        lake.append(
            "settings",
            [
                {**row, "attribute": "lower_bound", "value": bound},
                {**row, "attribute": "week_ends_on", "value": "saturday"},
            ],
        )
    full = warehouse.landed()
    assert (full.first_date, full.last_date) == (date(2026, 1, 3), CUTOFF)
    assert read_lower_bound(lake) == -1.5
    assert full.week_ends_on == "saturday"
    assert full.data_hash != empty.data_hash
    assert warehouse.landed() == full

    lake.append("raw_retractions", [{"load_id": "l2", "retracted_at": now, "reason": "x"}])
    less = warehouse.landed()
    assert less.last_date == date(2026, 1, 3)
    assert less.data_hash != full.data_hash


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    return holder


def test_a_file_open_elsewhere_is_told(warehouse: DuckDBWarehouse, settings: Settings) -> None:
    holder = hold(settings.warehouse_file)
    try:
        with pytest.raises(RunError, match="open in another program") as caught:
            warehouse.cutoffs()
    finally:
        holder.communicate("")
    assert "marts.duckdb" in str(caught.value)


def write_project(folder: Path, test_sql: str) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "dbt_project.yml").write_text(
        "name: shop\nprofile: shop\nmodel-paths: [models]\ntest-paths: [tests]\n"
    )
    (folder / "profiles.yml").write_text(
        "shop:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        "      path: \"{{ env_var('SALESCAST_HOME') }}/warehouse.duckdb\"\n      threads: 1\n"
    )
    (folder / "selectors.yml").write_text(
        "selectors:\n  - name: pre_predict\n    definition: {method: path, value: models}\n"
    )
    (folder / "models" / "sales.sql").write_text(
        "{{ config(materialized='table') }} select unnest(range(9)) as week"
    )
    (folder / "tests" / "assert_weeks_are_small.sql").write_text(test_sql)


def test_dbt_builds_and_tells_its_progress(settings: Settings, tmp_path: Path) -> None:
    write_project(tmp_path / "project", "select * from {{ ref('sales') }} where week > 99")
    settings.home.mkdir()
    told: list[str] = []
    warehouse = DuckDBWarehouse(settings, told.append)
    result = warehouse.build("pre_predict")
    assert result.n_nodes == 2
    assert 0 < result.seconds < 60
    assert "dbt build pre_predict: 2/2 nodes" in told
    assert (settings.home / "dbt" / "target" / "manifest.json").is_file()
    assert not (tmp_path / "project" / "target").exists()

    holder = hold(settings.warehouse_file)
    try:
        with pytest.raises(RunError, match="open in another program"):
            warehouse.build("pre_predict")
    finally:
        holder.communicate("")


def test_a_failed_data_test_tells_its_rows_and_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    write_project(
        tmp_path / "project",
        "{{ config(meta={'help': 'Look for weeks after the eighth.'}) }}"
        "select * from {{ ref('sales') }} where week > 2",
    )
    settings.home.mkdir()
    with pytest.raises(RunError) as caught:
        DuckDBWarehouse(settings).build("pre_predict")
    message = str(caught.value)
    assert "assert_weeks_are_small" in message
    assert "Got 6 results" in message
    assert "Look for weeks after the eighth." in message
    assert message.count("row: week = ") == 5


def test_a_project_that_does_not_parse_is_told(settings: Settings, tmp_path: Path) -> None:
    write_project(tmp_path / "project", "select 1 where false")
    (tmp_path / "project" / "models" / "b.sql").write_text("select * from {{ ref('nothing') }}")
    settings.home.mkdir()
    with pytest.raises(RunError, match=r"did not start its work(.|\n)*named 'nothing'"):
        DuckDBWarehouse(settings).build("pre_predict")


def test_rejected_rows_are_counted_by_reason(warehouse: DuckDBWarehouse) -> None:
    assert read_rejected(warehouse.publish(), schema="shop") == [
        ("store_unknown", 5),
        ("date_invalid", 3),
    ]
