"""How many missing days make a part week? Thresholds on a made-up chain, and what judging costs.

The chain has 200 stores of three daily years: closed on Sundays, open five days, with single days
and two days off, feasts of the chain and of a region, renovations, a changed day of rest, and feeds
that broke for one to seven days or that end before the newest day. What happened is known, so for
each threshold of int_week__part_weeks it can be counted what stays in silence and what is lost for
nothing. Then 1.8 million daily rows of 2,000 series are built; the seconds are those of dbt.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

import duckdb
from measure import Bench, Figure, at_least, at_most, finish, info, open_bench

MAPPING = """\
name: made_up
grain: daily
week_ends_on: saturday
missing_means: unknown
tables:
  sales:
    file: "sales.parquet"
    columns: {store: store, department: department, date: date, sales: sales}
"""
FIRST_DAY = date(2023, 1, 1)
N_STORES, N_WEEKS = 200, 156
CHOSEN = 3
"""Missing days within a store's life that make a part week; what int_week__part_weeks has."""

# One row a store and day; without a row it is closed (no sale is the truth) or lost.
CHAIN = """
create table days as
with
days as (
    select s, d, d // 7 as w, d % 7 as wd, hash(s * 100003 + d) % 100000 / 1e5 as luck
    from range(0, $stores) as stores (s) cross join range(0, $weeks * 7) as days (d)
),
fates as (
    select s,
        hash(s, 'rest') % 10 < 4 as rests_on_sunday,
        hash(s, 'five') % 10 = 0 as is_five_days,
        case when hash(s, 'moves') % 20 = 0 then 200 + hash(s, 'when') % 600 end as moves_rest_on,
        case when hash(s, 'renovated') % 10 = 0 then 200 + hash(s, 'since') % 600 end
            as renovated_on,
        14 + hash(s, 'for') % 30 as renovated_days,
        hash(s, 'region') % 3 as region,
        case when hash(s, 'late') % 10 < 3 then 1 + hash(s, 'by') % 6 else 0 end as late_days
    from range(0, $stores) as stores (s)
),
breaks as (
    select s, 100 + hash(s, n, 'breaks') % 900 as break_day,
        1 + hash(s, n, 'days') % 7 as break_days
    from range(0, $stores) as stores (s) cross join range(0, 2) as twice (n)
),
rests as (
    select s, 60 + 300 * n + hash(s, n, 'rests') % 300 as rest_day
    from range(0, $stores) as stores (s) cross join range(0, 3) as years (n)
),
feasts as (
    select unnest([0, 5, 90, 93, 120, 180, 245, 330, 358, 359]) as day_of_year
)
select days.s, days.d, days.w,
    case
        when is_five_days and wd in (0, 6) then 'closed'
        when moves_rest_on is not null and wd = if(d < moves_rest_on, 0, 1) then 'closed'
        when rests_on_sunday and not is_five_days and moves_rest_on is null and wd = 0 then 'closed'
        when d % 365 in (select day_of_year from feasts) then 'closed'
        when d % 365 in (150, 220, 300) and region = 0 then 'closed'
        when d >= renovated_on and d < renovated_on + renovated_days then 'closed'
        when luck < 0.004 then 'closed'
        when exists (
            from rests where rests.s = days.s and days.d in (rest_day, rest_day + 1)
        ) then 'closed'
        when d >= $weeks * 7 - late_days then 'lost'
        when exists (
            from breaks
            where breaks.s = days.s and days.d between break_day and break_day + break_days - 1
        ) then 'lost'
        else 'in'
    end as fate
from days join fates using (s)
"""

SALES = """
copy (
    select 'S' || s as store, 'A' as department,
        cast(date '{first}' + interval 1 day * d as date) as date, 100.0 as sales
    from days where fate = 'in' order by date, store
) to '{path}' (format parquet)
"""

# Lost days of weeks that stay actuals, and gaps in which no day is lost.
JUDGED = """
with truth as (
    select 'S' || s as store_id,
        cast(date '{first}' + interval 7 day * w + interval 6 day as date) as week_end_date,
        count(*) filter (where fate = 'lost') as n_lost, count(*) filter (where fate = 'in') as n_in
    from days group by all
),
paused as (
    select *,
        count(*) filter (where is_reported)
            over (partition by store_id order by sales_date) as pause
    from judged.salescast_intermediate.int_week__store_days
),
days as (
    select *,
        count(*) filter (where is_missing and not is_day_off and place = 'within')
            over (partition by store_id, pause) as n_pause_alone,
        count(*) filter (where is_missing and place = 'within')
            over (partition by store_id, pause) as n_pause
    from paused
),
counted as (
    select store_id, week_end_date,
        count(*) filter (where is_missing and not is_day_off and place <> 'within') as n_ends,
        count(*) filter (where is_missing and not is_day_off and place = 'within') as n_alone,
        count(*) filter (where is_missing and place = 'within') as n_within,
        bool_or(
            is_missing and not is_day_off and place = 'within'
            and (n_pause_alone >= $least or n_pause >= $least + 1)
        ) as is_in_pause
    from days group by all
),
weeks as (
    select truth.*,
        n_ends > 0 or n_alone >= $least or n_within >= $least + 1 or is_in_pause as is_gap
    from truth join counted using (store_id, week_end_date)
    where n_in > 0
)
select
    100.0 * sum(n_lost) filter (where is_gap) / sum(n_lost) as told,
    1000.0 * count(*) filter (where is_gap and n_lost = 0) / count(*) as for_nothing,
    100.0 * sum(n_lost) filter (where not is_gap) / sum(n_in + n_lost) as silent
from weeks
"""

NODES = (
    "int_week__store_days",
    "int_week__part_weeks",
    "int_sales__part_weeks",
    "int_sales__weekly",
    "int_sales__filled",
)


def built(bench: Bench, sales: str, folder: Path) -> dict[str, float]:
    """Land a parquet file and build; seconds of the models that judge weeks."""
    mapping = folder / "made_up.yml"
    mapping.write_text(MAPPING, encoding="utf-8")
    with duckdb.connect(str(folder / "truth.duckdb")) as connection:
        connection.execute(sales.format(first=FIRST_DAY, path=folder / "sales.parquet"))
    bench.salescast("ingest", folder, "--mapping", mapping)
    bench.salescast("build")
    return {
        str(result["unique_id"]).split(".")[2]: float(result["execution_time"])
        for result in bench.dbt_results()["results"]
        if str(result["unique_id"]).split(".")[2] in NODES
    }


def thresholds(bench: Bench) -> list[dict[str, float]]:
    """What each threshold tells, loses for nothing and leaves in silence."""
    folder = bench.folder / "chain"
    folder.mkdir()
    with duckdb.connect(str(folder / "truth.duckdb")) as connection:
        connection.execute(CHAIN, {"stores": N_STORES, "weeks": N_WEEKS})
    built(bench, SALES, folder)
    with duckdb.connect(str(folder / "truth.duckdb")) as connection:
        connection.execute(f"attach '{bench.home / 'warehouse.duckdb'}' as judged (read_only)")
        rows = []
        for least in (1, 2, 3, 4, 5):
            told, for_nothing, silent = connection.execute(
                JUDGED.format(first=FIRST_DAY), {"least": least}
            ).fetchall()[0]
            rows.append(
                {"least": least, "told": told, "for_nothing": for_nothing, "silent": silent}
            )
    return rows


MANY = """
copy (
    select 'S' || s as store, 'D' || i as department,
        cast(date '{first}' + interval 1 day * d as date) as date, 100.0 as sales
    from range(0, 100) as stores (s) cross join range(0, 20) as items (i)
        cross join range(0, 1000) as days (d)
    where hash(s, i, d) % 100 < 100 - i
) to '{path}' (format parquet)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="keep the homes below this folder")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    arguments = parser.parse_args()

    with open_bench(arguments.work, nice=arguments.nice) as bench:
        rows = thresholds(bench)
    with open_bench(arguments.work, nice=arguments.nice) as bench:
        folder = bench.folder / "many"
        folder.mkdir()
        seconds = built(bench, MANY, folder)
    print(json.dumps([rows, seconds], indent=1), file=sys.stderr)

    figures: list[Figure] = []
    for row in rows:
        name = f"{row['least']:.0f} days within"
        figures += [
            info(f"{name}: lost days whose week is told", row["told"], "%"),
            info(f"{name}: whole weeks made gaps", row["for_nothing"], "in 1,000"),
            info(f"{name}: days lost in silence", row["silent"], "% of all"),
        ]
    chosen = next(row for row in rows if row["least"] == CHOSEN)
    figures += [
        at_least("chosen: lost days whose week is told", chosen["told"], 80.0, "%"),
        at_most("chosen: whole weeks made gaps", chosen["for_nothing"], 2.0, "in 1,000"),
    ]
    figures += [info(f"1.8 million rows: {name}", each, "s") for name, each in seconds.items()]
    figures.append(
        at_most(
            "1.8 million rows: judging days", sum(seconds[name] for name in NODES[:3]), 15.0, "s"
        )
    )
    return finish("part_weeks", figures, thresholds=rows, seconds=seconds)


if __name__ == "__main__":
    raise SystemExit(main())
