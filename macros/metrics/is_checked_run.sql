{#
    Condition that a row is of a run whose rows are looked at in each build.

    checked_runs: stg_forecasts__checked_runs.
    column: the run id of the row.
#}
{% macro is_checked_run(checked_runs, column='run_id') -%}
    {{ is_of_runs('select checked_runs.run_id from ' ~ checked_runs ~ ' as checked_runs', [checked_runs], column) }}
{%- endmacro %}
