"""A small chain with daily sales and promotions: DeepAR for real, killed, resumed, and judged.

The batch `clean` runs through; the batch `killed` is killed in its training, before its load and in
its last build, and must come to the same forecasts. Both forecast from a past cutoff, so that there
are actuals to compare with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from salescast.container.checks import check_inference_file, check_training_file
from salescast.container.records import Record, read_records
from salescast.lake import sortable_id
from salescast.week.batch import BatchRecord
from salescast.week.export import RunFiles
from support.home import Home, Rows
from support.sources import WEEK, amount, weeks, write_csv, write_mapping

FIRST_SUNDAY = date(2021, 3, 14)
N_WEEKS = 120
SUNDAYS = weeks(FIRST_SUNDAY, N_WEEKS)
NEWEST = SUNDAYS[-1]
HORIZON = 6
CUTOFF = NEWEST - HORIZON * WEEK
STORES, DEPARTMENTS = ("1", "2", "3"), ("a", "b", "c")
SHORT, LATER, ONCE, ZERO = "3:b", "3:c", "2:z", "1:z0"
GAPS = [SUNDAYS[n] for n in (20, 21, 60, N_WEEKS - 2)]

EXPORTS = (
    "exp_series",
    "exp_categories",
    "exp_features",
    "exp_deepar__train",
    "exp_deepar__inference",
)


def first_week(item_id: str) -> int:
    """Number of the first week with sales: some series begin late."""
    cutoff = N_WEEKS - HORIZON
    return {SHORT: cutoff - 3, LATER: cutoff + 2, ONCE: cutoff - 1}.get(item_id, 0)


def sales_rows() -> list[tuple[str, str, date, str]]:
    """Daily sales; the chain's first and last weeks are cut short, and so are no weeks."""
    days = [
        day
        for n in range(-1, N_WEEKS + 1)
        for day in (FIRST_SUNDAY + n * WEEK - timedelta(days=d) for d in range(6, -1, -1))
        if date(2021, 3, 3) <= day <= NEWEST + timedelta(days=3)
    ]
    rows = []
    for store in STORES:
        for department in DEPARTMENTS:
            item_id = f"{store}:{department}"
            level = 10 * (STORES.index(store) + 1) * (DEPARTMENTS.index(department) + 1)
            begin = FIRST_SUNDAY + first_week(item_id) * WEEK - timedelta(days=6)
            for day in days:
                week = ((day - FIRST_SUNDAY).days + 6) // 7
                is_gap = item_id == "2:c" and _sunday(day) in GAPS
                if (first_week(item_id) == 0 or day >= begin) and not is_gap:
                    rows.append((store, department, day, amount(level, week)))
    rows.append(("2", "z", CUTOFF - timedelta(days=8), "33"))
    rows += [("1", "z0", day, "0") for day in days[::7]]
    return rows


def _sunday(day: date) -> date:
    return day + timedelta(days=(6 - day.weekday()) % 7)


def related_rows() -> list[tuple[str, str, date, int, str]]:
    """A promotion, known ahead, and a temperature, known afterwards, of each department."""
    pairs = [(s, d) for s in STORES for d in DEPARTMENTS] + [("2", "z"), ("1", "z0")]
    return [
        (store, department, sunday - timedelta(days=2), (n + len(department)) % 5 // 4, f"{n % 30}")
        for store, department in pairs
        for n, sunday in enumerate(weeks(FIRST_SUNDAY, N_WEEKS + 30))
    ]


def land(home: Home, folder: Path, newest: date | None = None) -> None:
    """Land the chain's files; `newest` is the last day of sales, all if it is None."""
    rows = [row for row in sales_rows() if newest is None or row[2] <= newest]
    write_csv(folder / "sales.csv", ("store", "department", "date", "sales"), rows)
    write_csv(folder / "stores.csv", ("store",), [[store] for store in STORES])
    write_csv(
        folder / "related.csv",
        ("store", "department", "date", "promotion", "temperature"),
        related_rows(),
    )
    mapping = write_mapping(
        folder / "chain.yml",
        grain="daily",
        week_ends_on="sunday",
        series={
            "promotion": {"known_future": True, "weekly_aggregation": "max"},
            "temperature": {"known_future": False},
        },
        by_department=True,
    )
    home.command("ingest", folder, "--mapping", mapping)


@dataclass
class Chain:
    """The home after both batches, and what each of them left."""

    home: Home
    printed: str = ""
    clean: BatchRecord | None = None
    clean_files: RunFiles | None = None
    killed: BatchRecord | None = None
    stopped_after: list[list[str]] = field(default_factory=list)
    file_times: list[dict[str, int]] = field(default_factory=list)

    def run_id(self, batch: BatchRecord | None, model_id: str) -> str:
        assert batch is not None
        (run_id,) = [run.run_id for run in batch.runs if run.model_id == model_id]
        return run_id

    def rows(self, batch: BatchRecord | None, model_id: str) -> Rows:
        return self.home.marts(
            "select * exclude (run_id, batch_id, is_current) from shop_marts.fct_forecast"
            " where run_id = ? order by all",
            [self.run_id(batch, model_id)],
        )


def kept_times(home: Home) -> dict[str, int]:
    """Modification times of what finished steps wrote."""
    finished, files = home.finished(), home.files_of("tiny")
    trained = home.lake.root / "trained_models" / home.run_of("tiny").run_id
    kept = {
        "tiny/export": files.training,
        "tiny/train": trained / "model.tar.gz",
        "tiny/predict": files.output,
        "snaive_52/export": home.files_of("snaive_52").baseline,
    }
    return {step: path.stat().st_mtime_ns for step, path in kept.items() if step in finished}


def run_killed(chain: Chain, *arguments: str) -> None:
    """Give the command, kill it three times, resume it four times."""
    home = chain.home
    known = home.batch.batch_id
    log = home.path / "dbt" / "logs" / "last_build.jsonl"

    def is_training() -> bool:
        if home.batch.batch_id == known or "tiny/export" not in home.finished():
            return False
        train_log = home.files_of("tiny").work / "train.log"
        return train_log.is_file() and train_log.stat().st_size > 0

    moments = [
        is_training,
        lambda: "tiny/predict" in home.finished(),
        lambda: "tiny/load" in home.finished() and "fct_forecast" in log.read_text(),
    ]
    for n, moment in enumerate(moments):
        process = home.start(*(("run", "--resume") if n else arguments))
        home.kill_when(process, moment)
        chain.stopped_after.append(home.finished())
        chain.file_times.append(kept_times(home))
    home.command("run", "--resume")
    chain.file_times.append(kept_times(home))


@pytest.fixture(scope="module")
def chain(new_home: Callable[[str], Home], tmp_path_factory: pytest.TempPathFactory) -> Chain:
    home = new_home("chain")
    chain = Chain(home)
    land(home, tmp_path_factory.mktemp("chain_source"))
    arguments = ("run", "--model", "tiny", "--cutoff", str(CUTOFF), "--horizon", str(HORIZON))
    chain.printed = home.command(*arguments)
    chain.clean, chain.clean_files = home.batch, home.files_of("tiny")
    run_killed(chain, *arguments)
    chain.killed = home.batch
    return chain


# The batch that ran through


def test_the_run_lands_every_series_for_every_week(chain: Chain) -> None:
    full = {f"{s}:{d}" for s in STORES for d in DEPARTMENTS} - {LATER}
    for model_id in ("snaive_52", "tiny"):
        rows = chain.rows(chain.clean, model_id)
        assert {(row[0], row[1]) for row in rows} == {
            (item_id, CUTOFF + WEEK * h)
            for item_id in full | {ONCE, ZERO}
            for h in range(1, HORIZON + 1)
        }
        assert len(rows) == HORIZON * (len(full) + 2)


def test_series_that_deepar_cannot_forecast_are_listed_and_take_the_naive(chain: Chain) -> None:
    assert chain.clean_files is not None
    listing = chain.clean_files.work / "fallback_items.csv"
    lines = listing.read_text().split()
    assert lines[1:] == [f"{item},not_forecast,," for item in (ZERO, ONCE)]
    naive = {row[:2]: row[5:] for row in chain.rows(chain.clean, "snaive_52")}
    deepar = {row[:2]: row[5:] for row in chain.rows(chain.clean, "tiny")}
    for key, numbers in deepar.items():
        assert (numbers == naive[key]) == (key[0] in (ZERO, ONCE)), key
    assert chain.home.marts(
        "select n_items, n_fallback_items from shop_marts.dim_forecast_run where run_id = ?",
        [chain.run_id(chain.clean, "tiny")],
    ) == [(10, 2)]


def test_incomplete_weeks_reach_no_mart(chain: Chain) -> None:
    assert chain.home.marts(
        "select min(week_end_date), max(week_end_date), list(distinct dayname(week_end_date))"
        " from shop_marts.fct_weekly_sales"
    ) == [(SUNDAYS[0], NEWEST, ["Sunday"])]


def test_the_accuracy_is_printed_and_a_report_can_be_written(chain: Chain, tmp_path: Path) -> None:
    assert "Accuracy" in chain.printed
    assert "tiny" in chain.printed
    assert str(CUTOFF) in chain.printed
    chain.home.command("report", "--out", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<html" in text
    assert str(CUTOFF) in text


def test_a_finished_batch_has_nothing_to_resume(chain: Chain) -> None:
    before = (chain.home.batch_folder / "batch.json").read_bytes()
    assert "there is nothing to resume" in chain.home.command("run", "--resume")
    assert (chain.home.batch_folder / "batch.json").read_bytes() == before


def test_the_run_is_told_with_all_that_it_was_made_of(chain: Chain) -> None:
    rows = chain.home.marts(
        "select recipe, prediction_length, trained_model_id, forecaster, seed, hyperparameters,"
        " data_hash is not null, code_version is not null from shop_marts.dim_forecast_run"
        " where run_id = ?",
        [chain.run_id(chain.clean, "tiny")],
    )
    recipe, length, trained, forecaster, seed, hyperparameters, *told = rows[0]
    assert (recipe, length, forecaster, seed) == ("deepar", HORIZON, "local", 3)
    assert trained == chain.run_id(chain.clean, "tiny")
    assert json.loads(hyperparameters)["prediction_length"] == str(HORIZON)
    assert told == [True, True]


# Its files


def test_the_files_hold_to_deepars_contract(chain: Chain) -> None:
    files = chain.clean_files
    assert files is not None
    trained = check_training_file(files.training, prediction_length=HORIZON)
    asked = check_inference_file(
        files.inference,
        HORIZON,
        cardinality=trained.cardinality,
        num_dynamic_feat=trained.num_dynamic_feat,
        weekday=trained.weekday,
    )
    assert trained.weekday == 6
    assert trained.cardinality == (3, 3)
    # Seven series that are long enough; the short one is forecast without being trained on.
    assert (trained.n_series, asked.n_series) == (7, 8)
    features = files.encoding().features
    assert trained.num_dynamic_feat == len(features)
    assert features[-1] == "promotion"
    assert "temperature" not in features


def test_the_files_equal_the_views(chain: Chain) -> None:
    files = chain.clean_files
    assert files is not None
    for name, path, has_id in (
        ("exp_deepar__train", files.training, False),
        ("exp_deepar__inference", files.inference, True),
    ):
        expected = [
            (item_id if has_id else None, start, target, tuple(cat), feat)
            for item_id, start, target, cat, feat in chain.home.warehouse(
                "select item_id, series_start, target, cat, dynamic_feat"
                f" from shop_exports.{name} where cutoff_date = ?",
                [CUTOFF],
            )
        ]
        found = [as_row(record) for record in read_records([path])]
        assert sorted(found, key=repr) == sorted(expected, key=repr)


def as_row(record: Record) -> tuple[object, ...]:
    return (
        record.extra.get("item_id"),
        record.start.strftime("%Y-%m-%d %H:%M:%S"),
        [None if np.isnan(value) else value for value in record.target.tolist()],
        record.cat,
        record.dynamic_feat.tolist(),
    )


def test_targets_end_with_the_cutoff_and_gaps_are_null(chain: Chain) -> None:
    (target,) = chain.home.warehouse(
        "select target from shop_exports.exp_deepar__train where item_id = '2:c'"
    )[0]
    assert len(target) == N_WEEKS - HORIZON
    gaps = [SUNDAYS[n] for n, value in enumerate(target) if value is None]
    assert gaps == [gap for gap in GAPS if gap <= CUTOFF]
    # A week is the sum of its seven days.
    assert target[3] == pytest.approx(7 * float(amount(60, 3)), abs=1e-9)


# The batch that was killed


def test_finished_steps_are_never_done_again(chain: Chain) -> None:
    record = chain.killed
    assert record is not None
    assert chain.stopped_after[0][-1] == "snaive_52/load"
    assert chain.stopped_after[1][-1] == "tiny/predict"
    assert chain.stopped_after[2][-1] == "tiny/load"
    done = [(a.run_id, a.step) for a in record.attempts if a.status == "done"]
    assert len(done) == len(set(done)) == len(record.finished)
    assert record.status == "done"
    for before, after in zip(chain.file_times, chain.file_times[1:], strict=False):
        assert {step: after[step] for step in before} == before


def test_a_killed_batch_comes_to_the_same_forecasts(chain: Chain) -> None:
    for model_id in ("snaive_52", "tiny"):
        assert chain.rows(chain.killed, model_id) == chain.rows(chain.clean, model_id)


def test_each_forecast_row_has_landed_once(chain: Chain) -> None:
    landed = chain.home.landed("forecasts", "run_id, item_id, week_end_date")
    assert len(landed) == len(set(landed)) == 4 * 10 * HORIZON
    published = chain.home.marts(
        "select run_id, item_id, week_end_date from shop_marts.fct_forecast"
    )
    assert sorted(published) == sorted(landed)
    leftovers = [p for p in chain.home.lake.root.rglob(".*") if p.name.endswith(".tmp")]
    assert leftovers == []


# What a forecast may know


def test_nothing_after_the_cutoff_enters_exports_and_baseline(
    chain: Chain, new_home: Callable[[str], Home], tmp_path: Path
) -> None:
    home = new_home("cut")
    land(home, tmp_path, newest=CUTOFF)
    now = datetime.now(UTC).replace(tzinfo=None)
    request = {
        "request_id": sortable_id(now),
        "requested_at": now,
        "cutoff_date": None,
        "weeks_back": 0,
        "kind": "forecast",
        "horizon_weeks": HORIZON,
    }
    home.lake.append("requested_cutoffs", [request])
    home.command("build", "--selector", "pre_predict")
    relations = [f"shop_exports.{name}" for name in EXPORTS]
    for relation in [*relations, "shop_baselines.baseline_snaive_52"]:
        query = f"select * from {relation} order by all"
        rows = home.warehouse(query)
        assert rows, relation
        assert rows == chain.home.warehouse(query), relation
    assert not home.warehouse("select 1 from shop_exports.exp_series where item_id = ?", [LATER])


# Whether the numbers are right


def compared(chain: Chain, model_id: str, low: int, high: int) -> pd.DataFrame:
    """Rows of a current run that have an actual, for horizons from `low` to `high`."""
    names = ["unique_id", "ds", "y", "mean", *(f"p{q}0" for q in range(1, 10))]
    names += ["weight", "naive", "scale"]
    deciles = ", ".join(f"p{q}0" for q in range(1, 10))
    rows = chain.home.marts(
        f"select item_id, week_end_date, actual, mean, {deciles}, week_weight, naive_p50,"
        " seasonal_scale from shop_marts.fct_forecast_vs_actual"
        " where run_id = ? and actual is not null and horizon_weeks between ? and ?",
        [chain.run_id(chain.killed, model_id), low, high],
    )
    frame = pd.DataFrame(rows, columns=names)
    frame["ds"] = pd.to_datetime(frame["ds"])
    return frame


def history(chain: Chain) -> pd.DataFrame:
    rows = chain.home.marts(
        "select item_id, week_end_date, sales from shop_marts.fct_weekly_sales"
        " where week_end_date <= ? order by 1, 2",
        [CUTOFF],
    )
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    frame["y"] = frame["y"].astype(float)
    frame["ds"] = pd.to_datetime(frame["ds"])
    return frame


@pytest.mark.parametrize("model_id", ["snaive_52", "tiny"])
@pytest.mark.parametrize(("band", "low", "high"), [("1-4", 1, 4), ("5-13", 5, 13)])
def test_metrics_equal_an_independent_library(
    chain: Chain, model_id: str, band: str, low: int, high: int
) -> None:
    frame = compared(chain, model_id, low, high)
    columns = ["n_rows", "wape", "wql_3", "wql_9", "rmse", "mase", "coverage", "bias"]
    found = dict(
        zip(
            [*columns, "value_added"],
            chain.home.marts(
                f"select {', '.join(columns)}, value_added"
                " from shop_reports.rpt_forecast_accuracy where model_id = ?"
                " and horizon_band = ? and level = 'store-department'",
                [model_id, band],
            )[0],
            strict=True,
        )
    )
    # One id for all rows: the library's mean over rows then is the mean over all of them.
    whole = frame.assign(unique_id="all")
    n, volume = len(whole), whole["y"].abs().sum()

    def quantile_loss(decile: int) -> float:
        loss = losses.quantile_loss(whole, {"p": f"p{decile}0"}, q=decile / 10)
        return float(loss["p"].iloc[0])

    mae = float(losses.mae(whole, ["p50"])["p50"].iloc[0])
    naive = float(losses.mae(whole, ["naive"])["naive"].iloc[0])
    band_of = whole.rename(columns={"p10": "m-lo-80", "p90": "m-hi-80"}).assign(m=whole["p50"])
    # The library's are means over the rows of a series; the report's is the mean over all rows.
    of_series = losses.mase(frame, ["p50"], seasonality=52, train_df=history(chain))
    scaled = of_series.set_index("unique_id")["p50"]
    scaled = scaled[np.isfinite(scaled)]
    n_scaled = frame.groupby("unique_id").size().reindex(scaled.index)
    expected = {
        "n_rows": n,
        "wape": mae * n / volume,
        "wql_3": 2 * n * sum(map(quantile_loss, (1, 5, 9))) / 3 / volume,
        "wql_9": 2 * n * sum(map(quantile_loss, range(1, 10))) / 9 / volume,
        "rmse": float(losses.rmse(whole, ["mean"])["mean"].iloc[0]),
        "mase": float(np.average(scaled, weights=n_scaled)),
        "coverage": float(losses.coverage(band_of, ["m"], 80)["m"].iloc[0]),
        "bias": (whole["p50"] - whole["y"]).sum() / volume,
        "value_added": 1 - mae / naive,
    }
    assert len(scaled) >= 6
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
