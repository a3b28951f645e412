with

total_bands as (

    select * from {{ source('lake', 'total_bands') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

-- A kill can leave the bands of a run that has not landed.
final as (

    select
        total_bands.run_id,
        total_bands.level,
        total_bands.item_id,
        total_bands.week_end_date,
        total_bands.horizon_weeks,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            total_bands.offset_{{ column }},
        {% endfor -%}
        total_bands.learned_share

    from total_bands
    inner join runs on total_bands.run_id = runs.run_id

)

select * from final
