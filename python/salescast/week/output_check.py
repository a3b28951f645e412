"""The transform's answer, held against the manifest of what was asked.

Two files frame a transform: the manifest names the inference items in the order of the input's
lines, and the checked forecasts hold what the output said of them. Nothing else is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from salescast import disk
from salescast.errors import RunError
from salescast.files import whole_file
from salescast.forecaster import UnusableOutput
from salescast.problems import refuse_problems
from salescast.quantiles import QUANTILES
from salescast.sql_text import file_pattern, quoted_text

MAX_OUTPUT_LINE_BYTES = 16 * 1024 * 1024
"""Far above any answer: 400 weeks of twelve numbers are 0.1 MB."""

CROSSING_TOLERANCE = 1e-6
"""Part of a quantile by which the next one may fall short of it.

A container computes in single precision (1e-7), and rows land with six digits: a crossing of this
size is rounding, and does not outlive it.
"""

_ROWS_A_GROUP = 4_096
_FIX = (
    "Nothing was landed. Look at transform.log in the run's work folder; then `salescast run "
    "--resume`, which forecasts anew. If it comes again: other hyperparameters, in a new batch."
)


def write_manifest(inference: Path, manifest: Path, *, config: Mapping[str, Any]) -> int:
    """Write the items of an inference file, in the order of its lines.

    Args:
        inference: JSON lines with an `item_id` each.
        manifest: Parquet to write: position (from 1) and item_id.
        config: DuckDB's settings.

    Returns:
        The number of items.

    Raises:
        RunError: A line is no JSON, or its item_id is missing or that of another line.
    """
    with _in_order(config) as connection:
        try:
            connection.execute(
                """
                copy (
                    select row_number() over () as position, item_id
                    from read_json(
                        ?, format = 'newline_delimited', columns = {item_id: 'varchar'}
                    )
                ) to ? (format parquet)
                """,
                [file_pattern(inference), str(manifest)],
            )
        except duckdb.InvalidInputException as error:
            raise RunError(
                f"The inference records cannot be read: {error}",
                where=str(inference),
                fix="Run again with --resume; if it stays so, report it as a bug of the export.",
            ) from error
        refuse_problems(
            connection,
            """
            select 'inference records without an item_id', 'line ' || position, position
            from read_parquet($manifest) where item_id is null
            union all
            select 'more than one inference record', item_id, min(position)
            from read_parquet($manifest) where item_id is not null
            group by item_id having count(*) > 1
            """,
            {"manifest": file_pattern(manifest)},
            where=str(inference),
            fix="Look at exp_deepar__inference: item_id and cutoff_date are its key.",
        )
        row = connection.execute(
            "select count(*) from read_parquet(?)", [file_pattern(manifest)]
        ).fetchone()
    return int(row[0]) if row else 0


def check_output(
    output: Path,
    manifest: Path,
    forecasts: Path,
    *,
    prediction_length: int,
    config: Mapping[str, Any],
) -> None:
    """Hold a transform's output against the manifest, and keep what it says as Parquet.

    Refused are: items missing, twice, not asked for or out of the manifest's order; lines that are
    no JSON, cut, or without a forecast; a mean or quantile that is missing, of the wrong length,
    not a finite number, or below the quantile before it.

    Args:
        output: JSON lines of `item_id` and `SageMakerOutput`.
        manifest: As `write_manifest` wrote it.
        forecasts: Parquet to write, in the manifest's order: item_id, mean (one number a week) and
            quantiles (a list like mean for each of QUANTILES). It appears only if all is sound.
        prediction_length: Weeks of each forecast.
        config: DuckDB's settings.

    Raises:
        UnusableOutput: Names the first items of each problem.
        RunError: This machine could not read it: no memory, no disk, no file.
    """
    forecasts.unlink(missing_ok=True)
    try:
        with whole_file(forecasts) as read, _in_order(config) as connection:
            _read(connection, output, manifest, read, prediction_length)
            refuse_problems(
                connection,
                _PROBLEMS,
                {"manifest": file_pattern(manifest), "output": file_pattern(read)},
                where=str(output),
                fix=_FIX,
                error=UnusableOutput,
            )
    except duckdb.Error as error:
        if (refused := disk.told(error, forecasts)) is not None:
            raise refused from error
        raise RunError(
            f"The forecasts cannot be checked on this machine: {error}",
            where=str(output),
            fix="Mend what it names (memory, disk); then `salescast run --resume`, which checks "
            "the same forecasts.",
        ) from error


def _in_order(config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """A connection that reads a file's lines in their order, so that they can be numbered."""
    return duckdb.connect(":memory:", config={**config, "preserve_insertion_order": True})


_STRUCTURE = (
    '{"mean": ["DOUBLE"], "quantiles": {'
    + ", ".join(f'"{level}": ["DOUBLE"]' for level in QUANTILES)
    + "}}"
)

_CROSSINGS = ", ".join(
    f"""list_bool_or(list_transform(quantiles[{n}], lambda low, week:
        low - quantiles[{n + 1}][week]
            > {CROSSING_TOLERANCE!r} * greatest(abs(low), abs(quantiles[{n + 1}][week]))
    ))"""
    for n in range(1, len(QUANTILES))
)

_LINE_PROBLEM = f"""
    case
        when answer is null and item_id is null then 'a line that is no forecast: not JSON, or cut'
        when item_id is null then 'a forecast without an item_id'
        when mean is null or list_count(quantiles) < {len(QUANTILES)}
            then 'a quantile or the mean is missing'
        when len(json_keys(answer, '$.quantiles')) > {len(QUANTILES)}
            then 'a quantile that was not asked for, or one twice'
        when len(mean) <> $n or list_bool_or([len(q) <> $n for q in quantiles])
            then 'not one number for each week of the horizon'
        when list_bool_or([
            coalesce(not isfinite(x), true) for x in list_concat(mean, flatten(quantiles))
        ]) then 'a number that is not finite'
        when regexp_matches(
            json_structure(answer -> 'mean') || json_structure(answer -> 'quantiles'),
            'VARCHAR|BOOLEAN|JSON'
        ) then 'a value that is not a number'
        when list_bool_or([{_CROSSINGS}]) then 'quantiles that cross'
    end
"""
"""What is wrong with a line by itself; null if nothing is."""

# An item out of its place says something only where all items are there once.
_PROBLEMS = """
    with asked as (select position, item_id from read_parquet($manifest)),
    answered as (select position, item_id, problem from read_parquet($output)),
    by_line as (
        select
            answered.problem,
            coalesce(
                answered.item_id,
                'line ' || answered.position || coalesce(' for ' || asked.item_id, '')
            ) as item_id,
            answered.position
        from answered
        left join asked on answered.position = asked.position
        where answered.problem is not null
    ),
    by_item as (
        select 'no forecast' as problem, item_id, position from asked
        where item_id not in (select item_id from answered where item_id is not null)
        union all
        select 'a forecast that was not asked for', item_id, position from answered
        where item_id not in (select item_id from asked)
        union all
        select 'more than one forecast', item_id, min(position) from answered
        where item_id is not null
        group by item_id having count(*) > 1
    ),
    by_order as (
        select 'not at its place in the order of the input', answered.item_id, answered.position
        from answered
        inner join asked on answered.position = asked.position
        where answered.item_id <> asked.item_id and not exists (select 1 from by_item)
    )
    select * from by_line
    union all
    select * from by_item
    union all
    select * from by_order
"""


def _read(
    connection: duckdb.DuckDBPyConnection,
    output: Path,
    manifest: Path,
    to: Path,
    prediction_length: int,
) -> None:
    """Turn the output into Parquet line by line, each with what is wrong with it."""
    quantiles = ", ".join(f'forecast.quantiles."{level}"' for level in QUANTILES)
    try:
        connection.execute(
            f"""
            copy (
                select position, item_id, mean, quantiles, {_LINE_PROBLEM} as problem
                from (
                    select
                        position, item_id, answer, forecast.mean as mean, [{quantiles}] as quantiles
                    from (
                        select
                            row_number() over () as position,
                            item_id,
                            SageMakerOutput as answer,
                            from_json(SageMakerOutput, {quoted_text(_STRUCTURE)}) as forecast
                        from read_json(
                            $output,
                            format = 'newline_delimited',
                            -- A line that cannot be read becomes a row of nulls, and is named.
                            ignore_errors = true,
                            maximum_object_size = {MAX_OUTPUT_LINE_BYTES},
                            columns = {{item_id: 'varchar', SageMakerOutput: 'json'}}
                        )
                    )
                )
            ) to $to (format parquet, row_group_size {_ROWS_A_GROUP})
            """,
            {"output": file_pattern(output), "n": prediction_length, "to": str(to)},
        )
    except (duckdb.DataError, duckdb.ProgrammingError) as error:
        if "maximum_object_size" in str(error):
            raise _huge_line(connection, output, manifest) from error
        raise UnusableOutput(
            f"The forecasts cannot be read: {error}", where=str(output), fix=_FIX
        ) from error


def _huge_line(
    connection: duckdb.DuckDBPyConnection, output: Path, manifest: Path
) -> UnusableOutput:
    """The refusal of an output with a line that is too long, which DuckDB does not number."""
    number = 1
    with output.open("rb") as lines:
        while 0 < len(lines.readline(MAX_OUTPUT_LINE_BYTES)) < MAX_OUTPUT_LINE_BYTES:
            number += 1
    row = connection.execute(
        "select item_id from read_parquet(?) where position = ?", [file_pattern(manifest), number]
    ).fetchone()
    return UnusableOutput(
        f"Line {number:,} of the forecasts, for {row[0] if row else 'no item'}, is longer than "
        f"{MAX_OUTPUT_LINE_BYTES >> 20} MiB.",
        where=str(output),
        fix=_FIX,
    )
