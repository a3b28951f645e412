"""When has a silent series ended? Rules compared on Walmart and on made-up chains.

For each rule and chain: the share of the seasonal naive's forecast that goes to series which then
sell nothing, and the share of what is then sold that is made by series which the rule had ended.
The rule of exp_series was chosen on cutoffs of Walmart whose horizon ends before April 2012, and on
made-up chains; the last two cutoffs of Walmart are its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from measure import Figure, at_most, equal, finish, info, open_bench, walmart_folder
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HORIZON, SEASON, QUARTER = 13, 52, 13
A_YEAR = SEASON + 4
NEVER = 10_000
# Shares of steady, paused, seasonal, now-and-then, slow and short-lived series; ended in a year.
CHAINS = {
    "mixed": ((0.50, 0.12, 0.10, 0.08, 0.10, 0.10), 0.10),
    "fashion": ((0.40, 0.02, 0.03, 0.03, 0.07, 0.45), 0.10),
    "seasonal": ((0.40, 0.10, 0.35, 0.05, 0.05, 0.05), 0.10),
    "pauses": ((0.30, 0.40, 0.05, 0.10, 0.10, 0.05), 0.10),
    "steady": ((0.90, 0.02, 0.02, 0.02, 0.04, 0.00), 0.05),
}


@dataclass(frozen=True)
class Known:
    """What is known of each series at a cutoff, and of the silences before it, one a row.

    `length` of a silence is NEVER where it was open at the cutoff.
    """

    cutoff: int
    seen: Bools
    weeks_silent: Ints
    span: Ints
    longest: Ints
    start: Ints
    length: Ints
    span_before: Ints
    longest_before: Ints


Rule = Callable[[Known], Bools]


def known(sales: Floats, cutoff: int) -> Known:
    """Look at weeks up to the cutoff; `sales` is series x weeks, nan where there is no row."""
    sold = np.nan_to_num(sales[:, : cutoff + 1]) != 0
    week = np.arange(cutoff + 1)
    newest = np.maximum.accumulate(np.where(sold, week, -1), axis=1)
    before = np.concatenate([np.full((len(sold), 1), -1), newest[:, :-1]], axis=1)
    gap = np.where(sold & (before >= 0), week - before - 1, 0)
    seen, first, last = sold.any(axis=1), sold.argmax(axis=1), newest[:, -1]
    series, end = np.nonzero(gap)
    start = before[series, end]
    longest_until = np.maximum.accumulate(gap, axis=1)
    still = np.nonzero(seen)[0]
    return Known(
        cutoff=cutoff,
        seen=seen,
        weeks_silent=np.where(seen, cutoff - last, -1),
        span=last - first,
        longest=gap.max(axis=1),
        start=np.concatenate([start, last[still]]),
        length=np.concatenate([gap[series, end], np.full(len(still), NEVER)]),
        span_before=np.concatenate([start - first[series], (last - first)[still]]),
        longest_before=np.concatenate([longest_until[series, start], gap.max(axis=1)[still]]),
    )


def fixed(weeks: int) -> Rule:
    """Ended after so many weeks without a sale."""
    return lambda at: at.weeks_silent > weeks


def own_rhythm(longest: Ints) -> Ints:
    """Weeks of silence that the longest one before explains."""
    limit = np.minimum(np.ceil(1.5 * longest).astype(np.int64), longest + QUARTER)
    return np.asarray(np.minimum(A_YEAR, np.maximum(QUARTER, limit)))


def rhythm(at: Known) -> Bools:
    """Ended by its own rhythm alone."""
    return at.weeks_silent > own_rhythm(at.longest)


def rhythm_and_young(at: Known) -> Bools:
    """The same, but whatever sold for less than half a year is kept for a year."""
    return at.weeks_silent > np.where(2 * at.span < SEASON, A_YEAR, own_rhythm(at.longest))


def chosen(at: Known) -> Bools:
    """The same, unless the chain's young series did not come back: the rule of exp_series."""
    limit = own_rhythm(at.longest_before)
    young = (2 * at.span_before < SEASON) & (limit < A_YEAR) & (at.length > limit)
    young &= at.start + A_YEAR < at.cutoff
    n_young, n_back = young.sum(), (young & (at.length <= A_YEAR)).sum()
    return rhythm_and_young(at) if n_young < 20 or 5 * n_back >= n_young else rhythm(at)


BEFORE = "156 weeks"
"""As it was; the naive took the last known week of series that had been silent for years."""

RULES: dict[str, Rule] = {
    BEFORE: fixed(156),
    "13 weeks": fixed(13),
    "26 weeks": fixed(26),
    "own rhythm": rhythm,
    "own rhythm, young kept": rhythm_and_young,
    "chosen": chosen,
}


def naive(sales: Floats, cutoff: int, asleep: Bools) -> Floats:
    """Last year's week, else the last known one, 0 for what is asleep; sums over the horizon."""
    past = sales[:, : cutoff + 1]
    has = ~np.isnan(past)
    newest = np.maximum.accumulate(np.where(has, np.arange(cutoff + 1), -1), axis=1)[:, -1]
    last = np.where((newest >= 0) & ~asleep, past[np.arange(len(past)), newest], 0.0)
    year_ago = sales[:, cutoff + 1 - SEASON : cutoff + 1 + HORIZON - SEASON]
    points = np.where(np.isnan(year_ago), last[:, None], year_ago)
    return np.asarray(np.maximum(points, 0.0).sum(axis=1))


def compare(sales: Floats, cutoffs: list[int]) -> dict[str, dict[str, float]]:
    """Means over the cutoffs, by rule."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in RULES}
    for cutoff in cutoffs:
        at = known(sales, cutoff)
        awake = np.zeros(len(sales), dtype=bool)
        forecast_before = naive(sales, cutoff, awake)
        forecast_now = naive(sales, cutoff, at.weeks_silent > QUARTER)
        later = np.nan_to_num(sales[:, cutoff + 1 : cutoff + 1 + HORIZON])
        actual, sells = later.sum(axis=1), (later != 0).any(axis=1)
        for name, rule in RULES.items():
            forecast = forecast_before if name == BEFORE else forecast_now
            ended = rule(at) & at.seen
            kept = at.seen & ~ended
            found[name].append(
                (
                    forecast[kept & ~sells].sum() / forecast[kept].sum(),
                    actual[ended].sum() / actual[at.seen].sum(),
                    ended.sum(),
                    (ended & sells).sum(),
                )
            )
    keys = ("forecast_of_the_gone", "sales_of_the_ended", "n_ended", "n_back")
    return {
        name: dict(zip(keys, np.mean(rows, axis=0).tolist(), strict=True))
        for name, rows in found.items()
    }


def read_panel(query: str) -> tuple[list[str], Floats]:
    """Dates, and sales as series x weeks, of a query of item, date and sales."""
    with duckdb.connect() as connection:
        items, days, sales = connection.execute(query).fetchnumpy().values()
    names, row = np.unique(np.asarray(items), return_inverse=True)
    dates, column = np.unique(np.asarray(days), return_inverse=True)
    panel = np.full((len(names), len(dates)), np.nan)
    panel[row, column] = sales
    return [str(day)[:10] for day in dates], panel


def made_up(kinds: tuple[float, ...], ended_a_year: float, seed: int) -> Floats:
    """Five years of a chain that counts pieces: zeros where nothing was sold."""
    rng = np.random.default_rng(seed)
    n, weeks = 2500, 260
    week = np.arange(weeks)
    sales = np.full((n, weeks), np.nan)
    for row, kind in enumerate(rng.choice(len(kinds), size=n, p=kinds)):
        start = 0 if rng.random() < 0.5 else int(rng.integers(0, weeks - 4))
        stop = start + int(rng.exponential(SEASON / ended_a_year))
        level = np.exp(rng.normal(2.0, 1.2)) * (
            1 + 0.2 * np.sin(2 * np.pi * (week / SEASON + rng.random()))
        )
        is_on = np.ones(weeks, dtype=bool)
        at = 0
        while kind == 1 and at < weeks:
            at += int(rng.exponential(40)) + 3
            pause = int(rng.exponential(12)) + 4
            is_on[at : at + pause] = False
            at += pause
        if kind == 2:
            is_on = (week - rng.integers(0, SEASON)) % SEASON < rng.integers(5, 30)
        if kind == 3:
            is_on[:] = False
            while at < weeks:
                is_on[at : at + int(rng.integers(1, 4))] = True
                at += int(rng.integers(8, 45))
        if kind == 4:
            level = np.full(weeks, np.exp(rng.normal(-1.3, 0.8)))
        if kind == 5:
            stop = start + int(rng.integers(4, 30))
        drawn = rng.negative_binomial(2, 2 / (2 + level)) * (
            is_on & (week >= start) & (week < stop)
        )
        if drawn.any():
            first = int((drawn > 0).argmax())
            sales[row, first:] = drawn[first:]
    return sales


def main() -> int:
    data = walmart_folder()
    (train,) = data.glob("train.csv*")
    dates, walmart = read_panel(
        'select "Store" || \':\' || "Dept", "Date"::date, "Weekly_Sales"::double'
        f" from read_csv('{train}', header = true)"
    )
    index = {day: position for position, day in enumerate(dates)}
    choosing = [week for week in range(60, len(dates), 4) if dates[week] < "2012-01-01"]
    results = {"Walmart, to choose": compare(walmart, choosing)}
    for day in ("2012-04-27", "2012-07-27"):
        results[f"Walmart, {day}"] = compare(walmart, [index[day]])
    with open_bench(None) as bench:
        folder = bench.folder / "chain"
        size = ("--stores", "45", "--departments", "24", "--weeks", "208", "--grain", "weekly")
        bench.salescast("simulate", folder, *size)
        results["salescast simulate"] = compare(*simulated(folder))
    for name, (kinds, ended_a_year) in CHAINS.items():
        panel = made_up(kinds, ended_a_year, seed=20)
        results[f"made up, {name}"] = compare(panel, list(range(110, 245, 15)))

    figures: list[Figure] = []
    for chain, rules in results.items():
        for rule, values in rules.items():
            for key, unit in (("forecast_of_the_gone", "%"), ("sales_of_the_ended", "%")):
                name, value = f"{chain}: {rule}: {key.replace('_', ' ')}", 100 * values[key]
                is_bound = rule == "chosen" and key == "sales_of_the_ended"
                figures.append(
                    at_most(name, value, 1.5, unit) if is_bound else info(name, value, unit)
                )
    of_test = results["Walmart, 2012-07-27"]["chosen"]
    figures.append(equal("Walmart, 2012-07-27: series ended", int(of_test["n_ended"]), 82))
    return finish("ended_series", figures, rules=results)


def simulated(folder: Path) -> tuple[Floats, list[int]]:
    """The weekly panel of a simulated chain and cutoffs in it."""
    (sales,) = folder.glob("sales.*")
    # The simulator writes a few defective rows; days on which next to nothing sold are among them.
    dates, panel = read_panel(
        f"""
        with sales as (
            select store || ':' || department as item, try_cast(date as date) as day,
                try_cast(sales as double) as sold
            from read_csv('{sales}', header = true, all_varchar = true)
            where item is not null and day is not null and sold is not null
        )
        select item, day, max(sold) from sales
        where day in (select day from sales group by day having count(*) >= 100)
        group by all
        """
    )
    return panel, list(range(104, len(dates) - HORIZON, 13))


if __name__ == "__main__":
    raise SystemExit(main())
