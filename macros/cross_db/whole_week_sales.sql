{#
    An array of sales as of whole weeks: each over the share of its week, null where that is 0.

    Whole numbers stay whole: some likelihoods take counts only.
#}
{% macro whole_week_sales(sales, week_shares) -%}
    {{ return(adapter.dispatch('whole_week_sales', 'salescast')(sales, week_shares)) }}
{%- endmacro %}

{% macro default__whole_week_sales(sales, week_shares) -%}
    {{ exceptions.raise_compiler_error("whole_week_sales has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__whole_week_sales(sales, week_shares) -%}
    [
        case
            when week[1] = round(week[1]) then round(week[1] / nullif(week[2], 0e0))
            else week[1] / nullif(week[2], 0e0)
        end
        for week in list_zip({{ sales }}, {{ week_shares }})
    ]
{%- endmacro %}

{% macro athena__whole_week_sales(sales, week_shares) -%}
    zip_with(
        {{ sales }},
        {{ week_shares }},
        (sold, part) -> case
            when sold = round(sold) then round(sold / nullif(part, 0e0))
            else sold / nullif(part, 0e0)
        end
    )
{%- endmacro %}
