{#
    For a post-hook: takes back the rows of an incremental model whose digest its inputs do not give any more.

    Rows of weeks that a retracted load had made complete go with it, and all rows
    once every load of sales is retracted. A lake without loads is no reason: it
    may have been lost.

    inputs: relation with the digests that hold.
    loads: stg_retail__loads.
    column: digest of a row, by one name in the model and in the inputs.
#}
{% macro delete_outdated_rows(inputs, loads, column) -%}
    delete from {{ this }}
    where
        ({{ column }} is null or {{ column }} not in (select {{ column }} from {{ inputs }}))
        and exists (select 1 from {{ loads }} where table_name = 'raw_sales')
{%- endmacro %}
