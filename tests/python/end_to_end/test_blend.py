"""A blend on a made-up chain: it learns from its members' vintages, and from nothing later."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from support.home import Home
from support.sources import weeks

pytestmark = pytest.mark.dbt

WEEKS = weeks(date(2022, 1, 8), 150)
CUTOFF, HORIZON = WEEKS[141], 8
MEMBERS = ("snaive_52", "snaive_calendar")
VINTAGES = [WEEKS[141 - 4 * n] for n in range(8, 0, -1)]
RUN = ("--model", "tiny_blend", "--horizon", str(HORIZON))
BANDS = ((1, 4), (5, 13), (14, 26), (27, 104))
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
QUANTILES = [f"p{round(100 * level):02d}" for level in LEVELS]


def rows(last: date) -> Iterator[tuple[str, str, date, str]]:
    """Two years and more of 24 series that grow and jump, each of its own size."""
    random = np.random.default_rng(7)
    for store in range(6):
        for department in range(4):
            size = 40 * 1.5**store * (department + 1)
            noise = random.gamma(12, 1 / 12, len(WEEKS))
            for n, week in enumerate(WEEKS):
                season = 1 + 0.4 * math.sin(2 * math.pi * (n + 9 * department) / 52.18)
                if week <= last:
                    sold = size * season * 1.004**n * noise[n]
                    yield f"S{store}", f"D{department}", week, f"{sold:.2f}"


@pytest.fixture(scope="module")
def land(
    weekly_home: Callable[[str, Iterable[Sequence[object]]], Home],
) -> Callable[[str, date], Home]:
    """Makes a home that holds the chain's sales up to a week."""
    return lambda name, last: weekly_home(name, rows(last))


@pytest.fixture(scope="module")
def first(land: Callable[[str, date], Home]) -> Home:
    """A home whose first forecast is the blend."""
    home = land("blended", CUTOFF)
    home.command("run", *RUN)
    return home


def frame(home: Home, sql: str) -> pd.DataFrame:
    names = [name for (name, *_) in home.marts(f"describe {sql}")]
    return pd.DataFrame(home.marts(sql), columns=names)


def forecasts(home: Home, condition: str) -> pd.DataFrame:
    found = frame(home, f"select * from shop_marts.fct_forecast where {condition}")
    return found.sort_values(["model_id", "cutoff_date", "item_id", "week_end_date"])


def test_the_first_run_has_its_members_forecast_at_earlier_cutoffs(first: Home) -> None:
    runs = first.marts(
        "select model_id, cutoff_date, kind from shop_marts.dim_forecast_run order by all"
    )
    assert runs == sorted(
        [(model, cutoff, "backtest") for model in MEMBERS for cutoff in VINTAGES]
        + [(model, CUTOFF, "live") for model in (*MEMBERS, "tiny_blend")]
    )
    asked = first.warehouse("select count(*) from shop_staging.stg_forecasts__run_members")
    assert asked == [(len(MEMBERS),)]


def lead_band(leads: pd.Series) -> pd.Series:
    return sum((leads >= first).astype(int) for first, _ in BANDS)


def learned(
    past: pd.DataFrame, level: pd.DataFrame, now: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The blend by numpy, from the members' vintages with their actuals and the newest forecasts.

    Args:
        past: Rows of the vintages: model_id, cutoff_date, item_id, week, lead, mean, p50, actual.
        level: Mean of 26 weeks by (cutoff_date, item_id), with the cutoff itself.
        now: The members' forecasts of the cutoff.

    Returns:
        The blend's rows by item_id and lead, and its totals' errors in the vintages.
    """
    keys = ["cutoff_date", "item_id", "week_end_date"]
    wide = past.pivot(index=[*keys, "lead", "actual", "department_id"], columns="model_id")
    wide = wide.reset_index()
    size = level.loc[list(zip(wide.cutoff_date, wide.item_id, strict=True))].to_numpy()
    floor = 1e-3 * level.groupby(level=0).mean()
    floors = floor.loc[wide.cutoff_date].to_numpy()
    p50 = wide.p50[list(MEMBERS)].to_numpy()
    actual, band = wide.actual.to_numpy(), lead_band(wide.lead).to_numpy()

    sized = (actual[:, None] - p50) / np.sqrt(size + floors)[:, None]
    cells = wide.groupby(["cutoff_date", "week_end_date"]).ngroup().to_numpy()
    means = np.array([np.abs(sized[cells == cell]).mean() for cell in range(cells.max() + 1)])
    clipped = np.clip(sized / means[cells][:, None], -6, 6)
    weights = {}
    for each in np.unique(band):
        products = []
        for vintage in VINTAGES:
            of_weeks = [
                clipped[rows].T @ clipped[rows] / rows.sum()
                for cell in np.unique(cells[(band == each) & (wide.cutoff_date == vintage)])
                for rows in (cells == cell,)
            ]
            if of_weeks:
                products.append(np.mean(of_weeks, axis=0))
        g = np.mean(products, axis=0)
        g = g / np.diag(g).min()
        tenths = np.array([[n / 10, 1 - n / 10] for n in range(11)])
        loss = np.einsum("ni,ij,nj->n", tenths, g, tenths)
        weights[each] = tenths[np.argmin(loss + 0.3 * ((tenths - 0.5) ** 2).sum(axis=1))]

    of_row = np.array([weights[each] for each in band])
    point, mean = (of_row * p50).sum(axis=1), (of_row * wide["mean"][list(MEMBERS)]).sum(axis=1)
    error = pd.DataFrame(
        {"item": wide.item_id, "department": wide.department_id, "vintage": wide.cutoff_date}
    ).assign(band=band, p=point, e=np.abs(actual - point))
    series = error.groupby("item")[["p", "e"]].mean()
    x, y, w = np.log(series.p), np.log(series.e), series.p
    slope = np.polyfit(x, y, 1, w=np.sqrt(w))[0]
    exponent = round(np.clip((len(series) * slope + 37.5) / (len(series) + 50), 0.5, 1), 4)

    relative = (actual - point) / (point + 0.1 * size + floors) ** exponent
    median = np.sort(np.abs(relative))[math.ceil(len(relative) / 2) - 1]
    error["r"] = np.clip(relative, -12 * median, 12 * median)
    error["a"] = error.r.abs()
    everywhere = error.a.mean()
    by_department = error.groupby("department").a
    department = (by_department.sum() + 50 * everywhere) / (by_department.count() + 50)
    by_item = error.groupby("item").agg(s=("a", "sum"), n=("a", "size"), d=("department", "first"))
    scale = (by_item.s + 20 * department[by_item.d].to_numpy()) / (by_item.n + 20)
    error["z"] = error.r / scale[error["item"]].to_numpy()
    of_members = (of_row * np.abs(actual[:, None] - p50)).sum(axis=1)
    of_members = of_members / (point + 0.1 * size + floors) ** exponent
    error["m"] = np.minimum(of_members, 12 * median) / scale[error["item"]].to_numpy()
    shared = error.groupby(["vintage", "department"]).z.agg(["mean", lambda z: (z**2).mean()])
    share = (shared.iloc[:, 0] ** 2).mean() / shared.iloc[:, 1].mean()

    corrections = {}
    for each in np.unique(band):
        bias = []
        for vintage in VINTAGES:
            chosen = ((band == each) & (wide.cutoff_date == vintage)).to_numpy()
            if wide.week_end_date[chosen].nunique() >= 3:
                bias.append(math.log(actual[chosen].sum() / mean.to_numpy()[chosen].sum()))
        n, m = len(bias), float(np.mean(bias))
        longest = max(
            wide.week_end_date[(band == each) & (wide.cutoff_date == v)].nunique() for v in VINTAGES
        )
        uncertain = (np.var(bias, ddof=1) + 4e-4) / max(1, 4 * n / (longest + 4))
        corrections[each] = m * max(0, 1 - uncertain / m**2)

    rows = []
    for (item, lead), own in now.groupby(["item_id", "lead"]):
        each = int(lead_band(pd.Series([lead]))[0])
        own = own.set_index("model_id").loc[list(MEMBERS)]
        blended = weights[each] @ own[QUANTILES].to_numpy()
        z = np.sort(error.z[error.band == each])
        points = np.array([z[max(0, math.ceil(round(q * len(z), 9)) - 1)] for q in LEVELS])
        length = min(BANDS[each - 1][1], HORIZON) - BANDS[each - 1][0] + 1
        n_vintages = error.vintage[error.band == each].nunique()
        widening = math.sqrt(1 + 2 * share / max(1, (4 * n_vintages + length) / (length + 4)))
        offsets = widening * (points - points[5])
        middle = blended[5]
        d = (middle + 0.1 * level[CUTOFF, item] + floor[CUTOFF]) ** exponent
        narrowing = error.z[error.band == each].abs().mean() / error.m[error.band == each].mean()
        own_width = narrowing * (blended - middle)
        quantiles = middle + 0.6 * scale[item] * d * offsets + 0.4 * own_width

        corrected = float(weights[each] @ own["mean"].to_numpy()) * math.exp(corrections[each])
        rows.append((item, lead, *np.maximum(quantiles, 0), corrected))
    totals = wide[["cutoff_date", "item_id", "week_end_date"]].droplevel(1, axis=1)
    totals["actual"], totals["band"] = actual, band
    totals["mean"] = mean.to_numpy() * np.exp([corrections[each] for each in band])
    totals.attrs["exponent"] = float(exponent)
    return pd.DataFrame(rows, columns=["item_id", "lead", *QUANTILES, "mean"]), totals


def learned_offsets(errors: pd.DataFrame, name: str) -> dict[tuple[str, int], np.ndarray]:
    """How far quantiles of the totals of a level lie from the mean, by total and lead band.

    In units of the mean to the exponent.

    Args:
        errors: Of the series in the vintages: cutoff_date, item_id, week_end_date, band, actual,
            mean.
        name: Format of a total's item_id, from store and department.
    """
    items = errors.item_id.map(lambda item: name.format(*item.split(":")))
    keys = ["cutoff_date", "week_end_date", "band"]
    sums = errors.groupby([items, *keys])[["actual", "mean"]].sum().reset_index()
    relative = (sums.actual - sums["mean"]) / sums["mean"] ** errors.attrs["exponent"]
    median = np.sort(np.abs(relative))[math.ceil(len(relative) / 2) - 1]
    sums["e"] = np.clip(relative, -12 * median, 12 * median)
    of_item = sums.e.abs().groupby(sums.item_id)
    scale = (of_item.sum() + 8 * sums.e.abs().mean()) / (of_item.count() + 8)
    sums["z"] = sums.e / scale[sums.item_id].to_numpy()
    of_vintage = sums.groupby("cutoff_date").z.agg(["mean", lambda z: (z**2).mean()])
    share = (of_vintage.iloc[:, 0] ** 2).mean() / of_vintage.iloc[:, 1].mean()
    offsets = {}
    for each in np.unique(sums.band):
        z = np.sort(sums.z[sums.band == each])
        points = np.array([z[max(0, math.ceil(round(q * len(z), 9)) - 1)] for q in LEVELS])
        length = min(BANDS[each - 1][1], HORIZON) - BANDS[each - 1][0] + 1
        n_vintages = sums.cutoff_date[sums.band == each].nunique()
        widening = math.sqrt(1 + 2 * share / max(1, (4 * n_vintages + length) / (length + 4)))
        for item in scale.index:
            offsets[item, each] = scale[item] * widening * (points - points[5])
    return offsets


@pytest.fixture(scope="module")
def by_numpy(first: Home) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What numpy learns from the same vintages."""
    past = frame(
        first,
        "select f.model_id, f.cutoff_date, f.item_id, f.week_end_date, f.horizon_weeks as lead,"
        " f.department_id, f.mean, f.p50, s.sales as actual"
        " from shop_marts.fct_forecast as f join shop_marts.fct_weekly_sales as s"
        f" using (item_id, week_end_date) where f.cutoff_date < date '{CUTOFF}'",
    )
    level = frame(
        first,
        "select c.cutoff_date, s.item_id, avg(s.sales) as level"
        " from (select distinct cutoff_date from shop_marts.dim_forecast_run) as c"
        " join shop_marts.fct_weekly_sales as s on s.week_end_date <= c.cutoff_date"
        " and s.week_end_date > c.cutoff_date - 182 group by all",
    ).set_index(["cutoff_date", "item_id"])["level"]
    for each in (past, level):
        assert not each.isna().any(axis=None)
    now = forecasts(first, f"cutoff_date = '{CUTOFF}' and model_id <> 'tiny_blend'")
    now["lead"] = now.horizon_weeks
    return learned(past, level, now)


def test_it_is_what_numpy_learns_from_the_same_vintages(
    first: Home, by_numpy: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    wanted = by_numpy[0].sort_values(["item_id", "lead"])
    found = forecasts(first, "model_id = 'tiny_blend'")
    assert len(found) == len(wanted) == 24 * HORIZON
    np.testing.assert_allclose(
        found[[*QUANTILES, "mean"]].to_numpy(dtype=float),
        wanted[[*QUANTILES, "mean"]].to_numpy(dtype=float),
        rtol=2e-5,
    )
    weights = first.warehouse("select distinct weight from shop_baselines.blend__weights")
    assert len(weights) > 1


def test_a_total_is_as_wide_as_what_its_series_share_and_it_has_missed_by(
    first: Home, by_numpy: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    series = frame(first, "select * from shop_marts.fct_forecast")
    totals = frame(first, "select * from shop_marts.fct_forecast_aggregate")
    totals = totals.set_index(["level", "run_id", "week_end_date", "item_id"])
    levels = {"store": (0.1, "{0}:"), "department": (0.2, ":{1}"), "chain": (0.08, ":")}
    n_checked = n_learned = 0
    for level, (shared, name) in levels.items():
        offsets = learned_offsets(by_numpy[1], name)
        items = [
            name.format(*row) for row in zip(series.store_id, series.department_id, strict=True)
        ]
        for (run, week, item), own in series.groupby([series.run_id, series.week_end_date, items]):
            total = totals.loc[level, run, week, item]
            mean = own["mean"].sum()
            assert total["p50"] == pytest.approx(mean)
            assert total["sum_p50"] == pytest.approx(own.p50.sum())
            of_blend = own.model_id.iloc[0] == "tiny_blend"
            band = int(lead_band(own.horizon_weeks).iloc[0])
            for n, quantile in enumerate(QUANTILES):
                sign = -1 if quantile < "p50" else 1
                width = (sign * (own[quantile] - own["mean"])).clip(lower=0)
                half = math.sqrt(shared * width.sum() ** 2 + (1 - shared) * (width**2).sum())
                half = 0 if quantile == "p50" else sign * half
                if of_blend:
                    size = mean ** by_numpy[1].attrs["exponent"]
                    half = 0.5 * half + 0.5 * size * offsets[item, band][n]
                expected = max(0, mean + half)
                assert total[quantile] == pytest.approx(expected, rel=2e-5), (level, item, quantile)
            n_checked += 1
            n_learned += of_blend
    assert n_checked == len(totals)
    assert n_learned == (6 + 4 + 1) * HORIZON


def test_the_leaderboard_is_that_of_the_cutoffs(first: Home) -> None:
    accuracy = frame(
        first,
        "select cutoff_date, sum(sum_abs_error_with_naive) / sum(sum_naive_abs_error) as ratio"
        " from shop_reports.rpt_forecast_accuracy where model_id = 'snaive_calendar'"
        " and level = 'store' and n_rows > 0 group by all",
    )
    logs = np.log(accuracy.ratio.to_numpy(dtype=float))
    half = 1.645 * math.sqrt((logs.var(ddof=1) + 1e-4) / (4 * len(logs) / (HORIZON + 4)))
    answer = first.command("leaderboard", "--level", "store", "--json")
    models = {row["model_id"]: row for row in json.loads(answer)["models"]}
    assert list(models) == ["snaive_calendar", "snaive_52"]
    row = models["snaive_calendar"]
    assert row["n_cutoffs"] == len(VINTAGES) == len(logs)
    assert row["relative_error"] == pytest.approx(math.exp(logs.mean()) - 1)
    assert row["relative_error_low"] == pytest.approx(math.exp(logs.mean() - half) - 1)
    assert row["relative_error_high"] == pytest.approx(math.exp(logs.mean() + half) - 1)
    assert models["snaive_52"]["relative_error"] == 0
    assert "90 % interval" in first.command("leaderboard", "--level", "store")
    assert "comes with later sales" in first.command("leaderboard", "--weeks", "27+")


def test_later_sales_change_nothing_and_a_second_week_makes_no_backtests(
    land: Callable[[str, date], Home], first: Home
) -> None:
    home = land("knowing", WEEKS[-1])
    home.command("run", "--cutoff", CUTOFF.isoformat(), *RUN)
    columns = ["item_id", "week_end_date", *QUANTILES, "mean"]
    then, now = (forecasts(each, "model_id = 'tiny_blend'")[columns] for each in (first, home))
    assert then.to_numpy().tolist() == now.to_numpy().tolist()
    for table in ("weights", "exponents", "bands", "corrections", "total_bands"):
        sql = f"select * exclude (run_id) from shop_baselines.blend__{table} order by all"
        excluded = sql.replace("(run_id)", "(run_id, cutoff_date)") if "exp" in table else sql
        assert first.warehouse(excluded) == home.warehouse(excluded), table
    home.command("run", "--cutoff", WEEKS[142].isoformat(), *RUN)
    (n_runs,) = home.marts("select count(*) from shop_marts.dim_forecast_run")
    assert n_runs == (len(MEMBERS) * len(VINTAGES) + 2 * (len(MEMBERS) + 1),)


def test_without_vintages_the_members_widths_are_a_tenth_wider(
    land: Callable[[str, date], Home],
) -> None:
    home = land("young", WEEKS[40])
    home.command("run", *RUN)
    rows = forecasts(home, "model_id = 'tiny_blend'")
    assert len(rows) == 24 * HORIZON
    for lower, upper in pairwise(QUANTILES):
        assert (rows[lower] <= rows[upper]).all()
    member = forecasts(home, "model_id = 'snaive_52'")
    other = forecasts(home, "model_id = 'snaive_calendar'")
    middle = (member.p50.to_numpy() + other.p50.to_numpy()) / 2
    p90 = (member.p90.to_numpy() + other.p90.to_numpy()) / 2
    np.testing.assert_allclose(
        rows.p90.to_numpy(), middle + 1.1 * (p90 - middle), rtol=2e-5, atol=1e-4
    )
