"""What may go wrong or change between builds: no table is emptied, lost or left half."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from salescast.errors import RunError
from salescast.marts.reader import REPORT_COLUMNS
from salescast.settings import load_settings
from salescast.warehouse import open_warehouse
from support.shop import FIRST_WEEK, N_SERIES, Reader, Shop, differences
from support.warehouse import REPOSITORY, Athena

COMPARED = "shop_marts.fct_forecast_vs_actual"
# The first one waits for the shop too.
pytestmark = pytest.mark.timeout(1500)


@dataclass(frozen=True)
class FailedBuild:
    """A build that failed in the midst, after a week landed and another one was restated.

    before, failed: Digests of all tables, before and after it.
    halves: What readers saw meanwhile that is neither.
    n_stale: Forecasts whose actual was not the one of the sales, after it.
    """

    printed: str
    before: dict[str, str]
    failed: dict[str, str]
    halves: list[tuple[str, str]]
    n_stale: int


@pytest.fixture(scope="module")
def failed_build(shop: Shop) -> FailedBuild:
    shop.land_weeks(1, restate=True)
    with Reader(shop) as reader:
        before = reader.digests()
        fault = {"match": "fct_forecast_vs_actual__dbt_tmp", "error": "INTERNAL_ERROR"}
        with shop.faults(fail_queries=fault):
            printed = shop.command("build", code=1)
        failed = reader.digests()
        halves = reader.halves(before, failed)
    return FailedBuild(printed, before, failed, halves, n_stale(shop.athena))


def n_rows(athena: Athena, table: str, condition: str = "true") -> int:
    ((count,),) = athena.rows(f"select count(*) from {table} where {condition}")
    return int(str(count))


def n_stale(athena: Athena) -> int:
    """Number of forecasts whose actual is not the one of the sales."""
    sales = "shop_marts.fct_weekly_sales as sold using (item_id, week_end_date)"
    return n_rows(athena, f"{COMPARED} join {sales}", "actual is distinct from sold.sales")


@contextmanager
def lake_elsewhere(athena: Athena) -> Iterator[None]:
    """Take all files of the lake's tables away while the block runs."""
    s3, bucket = athena.client("s3"), athena.stack.bucket
    lake, aside = f"{athena.name}/lake", f"{athena.name}/aside"
    names = [name for name in athena.keys(f"s3://{bucket}/{lake}") if name.endswith(".parquet")]

    def move(source: str, target: str) -> None:
        for name in names:
            s3.copy({"Bucket": bucket, "Key": f"{source}/{name}"}, bucket, f"{target}/{name}")
            s3.delete_object(Bucket=bucket, Key=f"{source}/{name}")

    move(lake, aside)
    try:
        yield
    finally:
        move(aside, lake)


def project_with(folder: Path, changes: dict[str, tuple[str, str]]) -> Path:
    """A copy of the dbt project with texts replaced in its files."""
    folder.mkdir()
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml", "models.toml"):
        (folder / name).symlink_to(REPOSITORY / name)
    for name in ("macros", "mappings", "seeds", "tests"):
        (folder / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    shutil.copytree(REPOSITORY / "models", folder / "models")
    for name, (old, new) in changes.items():
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, name
        path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_a_lake_without_files_empties_nothing(shop: Shop) -> None:
    before = shop.tables()
    settings = shop.athena.rows("select * from shop_staging.stg_retail__settings")
    with lake_elsewhere(shop.athena):
        printed = shop.command("build", code=1)
    assert "model stg_retail__settings" in printed
    assert "has no row, but" in printed
    assert differences(before, shop.tables()) == {}
    assert shop.athena.rows("select * from shop_staging.stg_retail__settings") == settings


def test_another_lake_does_not_take_the_place_of_this_one(shop: Shop) -> None:
    nowhere = f"s3://{shop.athena.stack.bucket}/shop/nowhere/lake"
    printed = shop.command("build", code=1, SALESCAST_LAKE=nowhere)
    assert f"stands on s3://{shop.athena.stack.bucket}/shop/lake/" in printed
    assert nowhere in printed
    assert n_rows(shop.athena, "shop_lake.raw_sales") > 0


def test_a_new_column_of_a_fact_and_of_the_lake(built_shop: Shop, tmp_path: Path) -> None:
    source = "models/staging/_lake__sources.yml"
    changes = {
        "models/marts/forecast/fct_forecast_vs_actual.sql": (
            "        inputs_digest\n\n    from compared",
            "        inputs_digest,\n        1e0 as trial\n\n    from compared",
        ),
        "models/marts/forecast/_forecast_marts__models.yml": (
            "  - name: fct_forecast_aggregate\n",
            "      - name: trial\n        data_type: double\n  - name: fct_forecast_aggregate\n",
        ),
        source: (
            "          - name: is_stocked_out\n",
            "          - name: note\n            data_type: varchar\n"
            "          - name: is_stocked_out\n",
        ),
    }
    changed = replace(
        built_shop.athena,
        project=project_with(tmp_path / "project", changes),
        folder=tmp_path / "home",
    )
    n_before = n_rows(built_shop.athena, COMPARED)
    changed.dbt("run", "--select", "stg_retail__sales_judged", "fct_forecast_vs_actual")
    assert n_rows(built_shop.athena, COMPARED, "trial is null") == n_before > 0
    assert n_rows(built_shop.athena, "shop_lake.raw_sales", "note is null") > 0
    changed.dbt("run", "--full-refresh", "--select", "fct_forecast_vs_actual")
    assert n_rows(built_shop.athena, COMPARED, "trial is null") == 0
    assert n_rows(built_shop.athena, COMPARED, "trial = 1") >= n_before

    # Back to the project as it is: a dropped column needs a full refresh.
    built_shop.athena.dbt("run", "--full-refresh", "--select", "fct_forecast_vs_actual")
    for schema, table, column in [
        (*COMPARED.split("."), "trial"),
        ("shop_lake", "raw_sales", "note"),
    ]:
        held = built_shop.athena.client("glue").get_table(DatabaseName=schema, Name=table)["Table"]
        assert column not in [each["Name"] for each in held["StorageDescriptor"]["Columns"]]


def test_a_build_that_fails_leaves_the_tables_of_the_one_before(failed_build: FailedBuild) -> None:
    assert "model fct_forecast_vs_actual" in failed_build.printed
    assert "a fault that was asked for" in failed_build.printed
    assert "--resume" in failed_build.printed
    before, failed = failed_build.before, failed_build.failed
    assert failed[COMPARED] == before[COMPARED]
    assert failed["shop_marts.fct_weekly_sales"] != before["shop_marts.fct_weekly_sales"]
    assert failed_build.n_stale > 0
    assert failed_build.halves == []


def test_failing_queries_and_expired_results_are_tried_again_or_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shop.athena.environment.items():
        monkeypatch.setenv(name, value)
    warehouse = open_warehouse(load_settings())
    cutoffs = warehouse.cutoffs()
    assert cutoffs
    fault = {"match": "exp_cutoffs", "error": "INTERNAL_ERROR", "retryable": True}
    with shop.faults(fail_queries={**fault, "count": 2}):
        assert warehouse.cutoffs() == cutoffs
    for lasting in ({**fault, "count": 3}, {**fault, "retryable": False}):
        with (
            shop.faults(fail_queries=lasting),
            pytest.raises(RunError, match="INTERNAL_ERROR: a fault that was asked for"),
        ):
            warehouse.cutoffs()
    with shop.faults(expire_results=True), pytest.raises(RunError, match="not there any more"):
        warehouse.cutoffs()


def test_a_full_refresh_of_tables_is_refused(shop: Shop) -> None:
    printed = shop.athena.dbt("build", "--full-refresh", "--select", "fct_weekly_sales", code=2)
    assert "salescast build --full-refresh" in printed


def test_older_sales_and_a_past_cutoff_come_in_after_a_failed_build(
    shop: Shop, failed_build: FailedBuild
) -> None:
    older = FIRST_WEEK - timedelta(weeks=1)
    earlier = "cast(try_cast(date as date) - 7 as varchar) as date"
    shop.land(
        f"select * replace ({earlier}) from chain where department = 'toys'"
        f" and date between '{FIRST_WEEK - timedelta(days=6)}' and '{FIRST_WEEK}'"
    )
    cutoff = shop.last_week - timedelta(weeks=30)
    n_before = n_rows(shop.athena, "shop_marts.fct_forecast")
    shop.command("backtest", "--cutoff", str(cutoff), "--horizon", "4", "--model", "snaive_52")
    assert n_rows(shop.athena, "shop_marts.fct_forecast") == n_before + N_SERIES * 4
    passed = f"cutoff_date = date '{cutoff}' and actual is not null"
    assert n_rows(shop.athena, COMPARED, passed) == N_SERIES * 4
    older_week = f"week_end_date = date '{older}' and is_observed"
    assert n_rows(shop.athena, "shop_marts.fct_weekly_sales", older_week) == 2
    # What the build that failed did not come to is made good.
    assert failed_build.n_stale > 0
    assert n_stale(shop.athena) == 0


def published_faults(shop: Shop) -> list[str]:
    """What the published copy of the comparison has and Athena has not, and the other way."""
    columns = ", ".join(REPORT_COLUMNS["fct_forecast_vs_actual"])
    files = [str(path) for path in shop.athena.unload(f"select {columns} from {COMPARED}")]
    with duckdb.connect(str(shop.athena.folder / "marts.duckdb"), read_only=True) as connection:
        copy, read = f"select {columns} from {COMPARED}", f"select {columns} from read_parquet(?)"
        rows = connection.execute(
            f"({copy} except all {read}) union all ({read} except all {copy})", [files, files]
        ).fetchall()
    return [str(row) for row in rows]


def copied_rows(shop: Shop) -> list[str]:
    """Conditions of the statements by which a build that is run now copies the comparison."""
    client = shop.athena.client("athena")
    before = set(client.list_query_executions(MaxResults=50)["QueryExecutionIds"])
    shop.command("build")
    newest = client.list_query_executions(MaxResults=50)["QueryExecutionIds"]
    given = client.batch_get_query_execution(
        QueryExecutionIds=[each for each in newest if each not in before]
    )
    texts = [each["Query"] for each in given["QueryExecutions"]]
    copied = [text for text in texts if "naive_abs_error" in text and text.startswith("unload ")]
    return [text.partition(" where ")[2] for text in copied]


def test_the_published_copy_reads_what_changed_and_holds_all(shop: Shop) -> None:
    shop.build_if_behind()
    assert published_faults(shop) == []
    assert copied_rows(shop) == []
    shop.land_weeks(1, restate=True)
    (condition,) = copied_rows(shop)
    assert "run_id in ('" in condition
    assert "week_end_date in (date '" in condition
    assert published_faults(shop) == []
