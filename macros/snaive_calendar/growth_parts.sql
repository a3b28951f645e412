{# The levels that growth is told apart by, and the column that names one of each. #}
{% macro growth_levels() -%}
    {{ return([('chain', "''"), ('store', 'store_id'), ('department', 'department_id'), ('series', 'item_id')]) }}
{%- endmacro %}

{#
    CTEs that end in `growth_parts`: the logarithm of sales over base in parts that add up, as <level>_part.

    The chain's; a store's and half a department's beyond the chain; a series' beyond all three. The CTE `series_sums`
    has sales and base_sales of each series, with store_id and department_id.

    keys: columns that name one window of weeks.
#}
{% macro growth_parts(keys) -%}
group_ratios as (

    select
        *,
        {% for level, level_id in growth_levels() -%}
            {%- set over = 'over (partition by ' ~ keys | join(', ') ~ ('' if level == 'chain' else ', ' ~ level_id) ~ ')' -%}
            case
                when sum(base_sales) {{ over }} > 0
                    then
                        cast(sum(sales) {{ over }} as double)
                        / cast(sum(base_sales) {{ over }} as double)
            end as {{ level }}_ratio{{ ',' if not loop.last }}
        {% endfor %}
    from series_sums

),

chain_parts as (

    select
        *,
        {{ log_ratio('chain_ratio', '0.2e0', '4e0') }} as chain_part

    from group_ratios

),

-- The growth of departments lasts less than that of stores: they count by half.
group_parts as (

    select
        *,
        {{ log_ratio('store_ratio / exp(chain_part)', '0.5e0', '2e0') }} as store_part,
        0.5e0 * {{ log_ratio('department_ratio / exp(chain_part)', '0.4e0', '2.5e0') }} as department_part

    from chain_parts

),

growth_parts as (

    select
        *,
        case
            when series_ratio is null then 0e0
            else {{ log_ratio('series_ratio', '0.2e0', '4e0') }} - chain_part - store_part - department_part
        end as series_part

    from group_parts

)
{%- endmacro %}
