{#
    A CTE body: how many of its weeks each lead band has in the horizon of a blend.

    members: relation with run_id and prediction_length.
#}
{% macro band_lengths(members) -%}
    select distinct
        {{ members }}.run_id,
        lead_bands.lead_band,
        least(lead_bands.last_week, {{ members }}.prediction_length) - lead_bands.first_week + 1 as n_weeks

    from {{ members }}
    inner join (
        values
        {% for _, first, last in lead_bands() -%}
            ({{ loop.index }}, {{ first }}, {{ last or var('max_horizon_weeks') }}){{ ',' if not loop.last }}
        {% endfor %}
    ) as lead_bands (lead_band, first_week, last_week)
        on {{ members }}.prediction_length >= lead_bands.first_week
{%- endmacro %}
