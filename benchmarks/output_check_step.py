"""One step of a run on made-up exports; the benchmark of the output check runs each by itself.

`data` makes a warehouse with the tables that exports read, and an output as a transform of its
inference records would write it. The other steps are the product's own code.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import date

import duckdb

from salescast.lake import Lake
from salescast.quantiles import QUANTILE_COLUMNS, QUANTILES
from salescast.settings import Settings, load_settings
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.batch import RunRecord
from salescast.week.export import RunFiles
from salescast.week.load import Forecasts, land_run
from salescast.week.output_check import check_output, write_manifest

CUTOFF = date(2026, 10, 31)
HORIZON = 39
DEPARTMENTS = 100
N_FEATURES = 12
RUN = RunRecord(
    run_id="bench-1-deepar",
    model_id="deepar",
    recipe="deepar",
    kind="forecast",
    cutoff_date=CUTOFF,
    prediction_length=HORIZON,
)


def data(settings: Settings, files: RunFiles, n_series: int) -> None:
    """Series of 104 to 156 weeks, a seventh of them young, with features a store."""
    settings.home.mkdir(parents=True)
    exports = f"{settings.schema_prefix}_exports"
    columns = ", ".join(f"{12 + n}.5::double as {name}" for n, name in enumerate(QUANTILE_COLUMNS))
    with duckdb.connect(str(settings.warehouse_file), config=settings.duckdb_config) as connection:
        connection.execute(
            f"""
            create schema {exports};
            create schema {settings.schema_prefix}_baselines;
            create table {exports}.exp_series as
            select date '{CUTOFF}' as cutoff_date, (n // {DEPARTMENTS})::varchar as store_id,
                (n % {DEPARTMENTS})::varchar as department_id, store_id || ':' || department_id
                    as item_id,
                case when n % 7 = 0 then 104 else 156 end as n_weeks, hash(n) % 9973 as level
            from range({n_series}) as numbers(n);
            create table {exports}.exp_categories as
            select date '{CUTOFF}' as cutoff_date, 0 as cat_position, code::integer as code,
                code::varchar as category_value
            from range({-(-n_series // DEPARTMENTS)}) as codes(code)
            union all
            select date '{CUTOFF}', 1, code, code::varchar from range({DEPARTMENTS}) as codes(code);
            create table {exports}.exp_features as
            select date '{CUTOFF}' as cutoff_date, idx as feature_idx, 'feature ' || idx
                as feature_name
            from range({N_FEATURES}) as features(idx);
            create table {exports}.exp_deepar__train as
            select item_id, cutoff_date, '2023-11-11 00:00:00' as series_start,
                list_transform(range(n_weeks), lambda week:
                    case when (week + level) % 31 > 0
                        then round(level * (1 + sin(week / 8.0)) + week % 5, 2) end
                ) as target,
                [store_id::integer, department_id::integer] as cat,
                'store ' || store_id || ':' || n_weeks as dynamic_feat_key,
                list_transform(range({N_FEATURES}), lambda idx: list_transform(range(n_weeks),
                    lambda week: ((week + idx) % 9)::double)) as dynamic_feat
            from {exports}.exp_series;
            create view {exports}.exp_deepar__inference as
            select * replace (list_transform(dynamic_feat,
                lambda feature: feature || feature[1:{HORIZON}]) as dynamic_feat)
            from {exports}.exp_deepar__train;
            create table {settings.schema_prefix}_baselines.baseline_snaive_52 as
            select date '{CUTOFF}' as cutoff_date, item_id,
                cast(date '{CUTOFF}' + cast(7 * week as integer) as date) as week_end_date,
                week::integer as horizon_weeks, 20.25::double as mean, {columns}
            from {exports}.exp_series, range(1, {HORIZON + 1}) as weeks(week);
            """
        )


def export(settings: Settings, files: RunFiles, n_series: int) -> None:
    """Everything a run of DeepAR takes from the warehouse."""
    warehouse = DuckDBWarehouse(settings)
    encoding = warehouse.export_encoding(CUTOFF, files.work)
    warehouse.export_training(CUTOFF, files.training)
    warehouse.export_inference(CUTOFF, files.inference, encoding)
    warehouse.export_baseline("baseline_snaive_52", CUTOFF, files.baseline)


def manifest(settings: Settings, files: RunFiles, n_series: int) -> None:
    """The items of the inference records."""
    n_items = write_manifest(files.inference, files.inference_items, config=settings.duckdb_config)
    assert n_items == n_series


def answer(settings: Settings, files: RunFiles, n_series: int) -> None:
    """An output in the order of the manifest, nine digits a number; no step of the product."""
    files.output.parent.mkdir(parents=True, exist_ok=True)

    def numbers(level: float) -> str:
        return (
            f"to_json(list_transform(range({HORIZON}), lambda week:"
            f" round(base * (1 + {level} + week / 100.0), 6)))"
        )

    quantiles = ", ', ', ".join(f"'\"{level}\": ', {numbers(float(level))}" for level in QUANTILES)
    config = {**settings.duckdb_config, "preserve_insertion_order": True}
    with duckdb.connect(config=config) as connection:
        connection.execute(
            f"""
            copy (
                select concat(
                    '{{"item_id": "', item_id, '", "SageMakerOutput": {{"mean": ',
                    {numbers(0.5)}, ', "quantiles": {{', {quantiles}, '}}}}}}'
                )
                from (
                    select item_id, 10 + (hash(item_id) % 1000000007) / 1e6 as base
                    from read_parquet('{files.inference_items}')
                )
            ) to '{files.output}'
            (format csv, header false, quote '', escape '', delimiter '\x1f')
            """
        )


def check(settings: Settings, files: RunFiles, n_series: int) -> None:
    """The output held against the manifest."""
    check_output(
        files.output,
        files.inference_items,
        files.forecasts,
        prediction_length=HORIZON,
        config=settings.duckdb_config,
    )


def load(settings: Settings, files: RunFiles, n_series: int) -> None:
    """The forecasts as a file of the lake."""
    facts = {"forecaster": "local", "seed": 0, "hyperparameters": "{}", "code_version": "bench"}
    landed = land_run(
        Lake(settings.lake),
        RUN,
        Forecasts(answers=files.forecasts, items=files.inference_items, fallback=files.baseline),
        batch_id="bench",
        lower_bound=0.0,
        facts=facts,
        fallback_list=files.fallback_items,
        config=settings.duckdb_config,
    )
    assert (landed.n_items, landed.n_rows) == (n_series, n_series * HORIZON)


STEPS: dict[str, Callable[[Settings, RunFiles, int], None]] = {
    function.__name__: function for function in (data, export, manifest, answer, check, load)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("n_series", type=int)
    arguments = parser.parse_args()
    settings = load_settings()
    started, used = time.perf_counter(), time.process_time()
    STEPS[arguments.step](settings, RunFiles(settings.home / "run"), arguments.n_series)
    print(
        json.dumps(
            {
                "own_seconds": time.perf_counter() - started,
                "own_cpu_seconds": time.process_time() - used,
            }
        )
    )


if __name__ == "__main__":
    main()
