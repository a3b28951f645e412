{#
    For a post-hook: takes back the rows of an incremental model whose digest its inputs do not give any more.

    Rows of weeks that a retracted load had made complete go with it. Without any
    complete week nothing is taken back: a lake that was lost is no reason.

    inputs: relation with the digests that hold.
    weeks: dim_week.
    column: digest of a row of the model.
    inputs_column: its name in the inputs; default the same.
#}
{% macro delete_outdated_rows(inputs, weeks, column, inputs_column=none) -%}
    delete from {{ this }}
    where
        {{ column }} not in (select {{ inputs_column or column }} from {{ inputs }})
        and exists (select 1 from {{ weeks }} where is_complete)
{%- endmacro %}
