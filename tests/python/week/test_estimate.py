"""`--dry-run`: numbers of what would be started, on a real lake; nothing is started or written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from salescast.cli import cli
from salescast.lake import Lake, utc_naive
from salescast.lake.lock import hold_lock
from salescast.settings import Settings, load_settings
from salescast.warehouse import LandedSeries
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.plan import Asked, plan_batch

NOW = utc_naive(datetime(2026, 11, 22, tzinfo=UTC))
NEWEST = date(2026, 10, 31)
OLD_WEEKS, NEW_WEEKS = 150, 30
SAGEMAKER = {
    "SALESCAST_FORECASTER": "sagemaker",
    "SALESCAST_STAGING": "s3://a-bucket/staging",
    "SALESCAST_SAGEMAKER_IMAGE": "123456789012.dkr.ecr.us-east-1.amazonaws.com/salescast:1",
    "AWS_REGION": "us-east-1",
}


def land(lake: Lake, load_id: str, sales: Iterable[tuple[str, str, date]]) -> None:
    """Land rows of sales and their load, as ingest does."""
    rows = [
        {
            **dict.fromkeys(("is_holiday", "is_stocked_out")),
            **{"store": store, "department": department, "date": day.isoformat(), "sales": "1.0"},
            **{"load_id": load_id, "loaded_at": NOW, "source_file": "s.csv", "source_row": n},
        }
        for n, (store, department, day) in enumerate(sales, start=1)
    ]
    lake.append("raw_sales", rows, load_id)
    load = {"load_id": load_id, "table_name": "raw_sales", "source_file": "s.csv"}
    load |= {"content_hash": load_id, "n_rows": len(rows), "mapping_name": "m", "loaded_at": NOW}
    lake.append("raw_loads", [load], load_id)


def weeks(n: int) -> list[date]:
    return [NEWEST - timedelta(weeks=week) for week in range(n)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two old series, a young one, and a load that was taken back."""
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    lake = Lake(tmp_path / "home" / "lake")
    land(lake, "load-1", [("1", each, day) for each in "ab" for day in weeks(OLD_WEEKS)])
    land(lake, "load-2", [("2", "a", day) for day in weeks(NEW_WEEKS)])
    land(lake, "load-3", [("3", "a", day) for day in weeks(OLD_WEEKS)])
    lake.append("raw_retractions", [{"load_id": "load-3", "retracted_at": NOW, "reason": "wrong"}])
    return tmp_path / "home"


def call(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner(env=environment).invoke(cli, list(arguments), prog_name="salescast")


def look(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    result = call(*arguments, "--dry-run", "--json", environment=environment)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def everything_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_series_are_counted_at_each_cutoff(home: Path) -> None:
    before = NEWEST - timedelta(weeks=NEW_WEEKS)
    found = DuckDBWarehouse(Settings(home=home)).landed_series([NEWEST, before])
    assert found == [
        LandedSeries(before, 2, 2 * (OLD_WEEKS - NEW_WEEKS)),
        LandedSeries(NEWEST, 3, 2 * OLD_WEEKS + NEW_WEEKS),
    ]


def test_a_local_run_has_jobs_and_no_bill(home: Path) -> None:
    found = look("run", "--model", "deepar", "--horizon", "4", "--backtests", "1")
    assert found["landed_rows"] == {"raw_sales": 2 * OLD_WEEKS + NEW_WEEKS}
    assert [each["n_series"] for each in found["cutoffs"]] == [3, 3]
    assert found["n_runs"] == 4
    assert [job["use"] for job in found["jobs"]] == ["training", "transform"] * 2
    assert all(job["limits"] is None for job in found["jobs"])
    assert found["max_usd"] == 0
    assert found["usd_per_tb_scanned"] is None
    assert (
        "bill of the jobs: none"
        in call("run", "--model", "deepar", "--horizon", "4", "--dry-run").stdout
    )


def test_a_model_that_is_trained_once_for_vintages_is_so_in_the_estimate(home: Path) -> None:
    found = look("run", "--model", "blend", "--horizon", "4")
    jobs = [job for job in found["jobs"] if job["model_id"] == "direct"]
    assert [job["use"] for job in jobs].count("transform") == 9
    trained_at = [job["cutoff_date"] for job in jobs if job["use"] == "training"]
    assert trained_at == [str(NEWEST - timedelta(weeks=32)), str(NEWEST)]


def test_the_longest_bill_comes_from_limits_and_prices(home: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "region,instance_type,use,usd_per_hour,as_of\n"
        "us-east-1,ml.m5.xlarge,training,0.5,2026-01-31\n"
        "us-east-1,ml.m5.large,transform,0.1,2026-01-31\n"
    )
    environment = SAGEMAKER | {
        "SALESCAST_SAGEMAKER_PRICES": str(prices),
        "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_TYPE": "ml.m5.xlarge",
        "SALESCAST_SAGEMAKER_TRAIN_INSTANCE_COUNT": "2",
        "SALESCAST_SAGEMAKER_TRAIN_MAX_SECONDS": "1800",
        "SALESCAST_SAGEMAKER_TRANSFORM_INSTANCE_TYPE": "ml.m5.large",
        "SALESCAST_SAGEMAKER_TRANSFORM_MAX_SECONDS": "3600",
    }
    found = look("backtest", "--model", "deepar", "--cutoff", "2026-08-01", environment=environment)
    train, transform = found["jobs"]
    assert train["limits"] == {
        "instance_type": "ml.m5.xlarge",
        "instance_count": 2,
        "max_seconds": 1800,
        "usd_per_hour": 0.5,
        "max_usd": 0.5,
    }
    assert transform["limits"]["max_usd"] == 0.1
    assert found["max_usd"] == pytest.approx(0.6)
    spot = environment | {"SALESCAST_SAGEMAKER_TRAIN_SPOT": "true"}
    assert (
        look("backtest", "--model", "deepar", "--cutoff", "2026-08-01", environment=spot)["max_usd"]
        == found["max_usd"]
    )
    printed = call(
        "backtest",
        "--model",
        "deepar",
        "--cutoff",
        "2026-08-01",
        "--dry-run",
        environment=environment,
    ).stdout
    assert "2 x ml.m5.xlarge" in printed
    assert "longest possible bill of these machines: $0.60; $1.80 if AWS itself" in printed
    assert str(prices) in printed


def test_a_price_that_is_not_known_is_not_guessed(home: Path) -> None:
    environment = SAGEMAKER | {"AWS_REGION": "eu-north-1"}
    assert (
        look("run", "--model", "deepar", "--horizon", "4", environment=environment)["max_usd"]
        is None
    )
    printed = call(
        "run", "--model", "deepar", "--horizon", "4", "--dry-run", environment=environment
    ).stdout
    assert "price unknown: give SALESCAST_SAGEMAKER_PRICES" in printed


def test_more_series_and_weeks_are_more_bytes(home: Path) -> None:
    def n_bytes(*arguments: str) -> list[int]:
        return [job["estimated_bytes"] for job in look(*arguments)["jobs"]]

    newest = n_bytes("run", "--model", "deepar", "--horizon", "4")
    earlier = n_bytes("backtest", "--model", "deepar", "--cutoff", "2025-10-25", "--horizon", "4")
    assert all(few < many for few, many in zip(earlier, newest, strict=True))
    longer = n_bytes("run", "--model", "deepar", "--horizon", "8")
    assert longer[0] == newest[0]
    assert longer[1] > newest[1]


def test_nothing_is_started_or_written_and_no_lock_is_needed(home: Path) -> None:
    with hold_lock(home, "salescast run"):
        before = everything_in(home)
        look("run", "--model", "deepar", "--horizon", "4")
        look("run", "--model", "deepar", "--horizon", "4", environment=SAGEMAKER)
        assert everything_in(home) == before


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (("run", "--model", "prophet"), {}, "There is no model prophet"),
        (("run", "--model", "deepar", "--horizon", "9999"), {}, "horizon of 9999 weeks"),
        (
            ("backtest", "--model", "deepar", "--cutoff", "2020-01-04"),
            {},
            "outside the landed sales",
        ),
        (("run", "--resume"), {}, "takes no other option"),
        (("run",), SAGEMAKER | {"SALESCAST_SAGEMAKER_IMAGE": ""}, "knows no extensions"),
        (("run",), SAGEMAKER | {"SALESCAST_SAGEMAKER_PRICES": "/none"}, "is not there"),
    ],
)
def test_what_the_command_would_refuse_is_refused(
    home: Path, arguments: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    result = call(*arguments, "--dry-run", environment=environment)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "fix:" in result.stderr


def test_what_must_be_set_first_is_told_beside_the_estimate(home: Path) -> None:
    role = {"SALESCAST_SAGEMAKER_ROLE_ARN": "arn:aws:iam::123456789012:role/salescast"}
    for environment, told in (
        (SAGEMAKER, "SageMaker's jobs need a role"),
        (SAGEMAKER | role | {"SALESCAST_SAGEMAKER_SUBNETS": "subnet-1"}, "A VPC needs both"),
    ):
        looked_at = look("run", "--model", "deepar", "--horizon", "4", environment=environment)
        assert told in looked_at["refusal"]
        printed = call(
            "run", "--model", "deepar", "--horizon", "4", "--dry-run", environment=environment
        )
        assert f"`salescast run` would be refused now: {told}" in printed.stdout
        assert "fix:   Set" in printed.stdout
        refused = call("run", "--model", "deepar", "--horizon", "4", environment=environment)
        assert refused.exit_code == 2
        assert told in refused.stderr
    looked_at = look("run", "--model", "deepar", "--horizon", "4", environment=SAGEMAKER | role)
    assert looked_at["refusal"] is None
    naive = look("run", "--model", "snaive_52", "--horizon", "4", environment=SAGEMAKER)
    assert naive["refusal"] is None


def test_a_new_batch_keeps_its_forecaster(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SAGEMAKER.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    landed = DuckDBWarehouse(settings).landed()
    kept = [
        plan_batch(
            settings, Lake(home / "lake"), landed, Asked("run", horizon=4, model_names=[name])
        ).record.forecaster
        for name in ("deepar", "snaive_52")
    ]
    assert kept == ["sagemaker", None]


def test_an_empty_home_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_HOME", str(tmp_path / "empty"))
    result = call("run", "--dry-run")
    assert result.exit_code == 2
    assert "No sales are landed" in result.stderr
    assert not (tmp_path / "empty").exists()
