with

naive as (

    select * from {{ ref('baseline_snaive_52') }}

),

errors as (

    select * from {{ ref('snaive_calendar__errors') }}
    where not is_backtest

),

points as (

    select * from {{ ref('snaive_calendar__points') }}
    where not is_backtest

),

scales as (

    select * from {{ ref('snaive_calendar__scales') }}

),

band as (

    select * from {{ ref('snaive_calendar__band') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

-- What no last year tells is forecast as by the naive, and an ended series is 0 in both.
joined as (

    select
        naive.cutoff_date,
        naive.item_id,
        naive.week_end_date,
        naive.horizon_weeks,
        naive.is_ended,
        coalesce(points.point_forecast, naive.mean) as point_forecast,
        scales.error_scale * errors.error_unit as error_scale,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            band.z_{{ column }},
            naive.{{ column }} - naive.p50 as naive_{{ column }},
        {% endfor -%}
        settings.lower_bound

    from naive
    cross join settings
    left join points
        on
            naive.cutoff_date = points.cutoff_date
            and naive.item_id = points.item_id
            and naive.horizon_weeks = points.horizon_weeks
    left join errors
        on
            points.cutoff_date = errors.cutoff_date
            and points.item_id = errors.item_id
            and points.horizon_weeks = errors.horizon_weeks
    left join scales
        on
            errors.cutoff_date = scales.cutoff_date
            and errors.item_id = scales.item_id
    left join band
        on
            errors.cutoff_date = band.cutoff_date
            and errors.lead_band = band.lead_band

),

-- Without backtests the band of the naive stands around the forecast.
quantiles as (

    select
        cutoff_date,
        item_id,
        week_end_date,
        horizon_weeks,
        is_ended,
        point_forecast as mean,
        {% for column, _ in quantile_levels() -%}
            {%- if column == 'p50' -%}
                point_forecast as p50,
            {% else -%}
                point_forecast + coalesce(error_scale * z_{{ column }}, naive_{{ column }}) as {{ column }},
            {% endif -%}
        {%- endfor %}
        lower_bound

    from joined

),

final as (

    select
        cutoff_date,
        item_id,
        week_end_date,
        horizon_weeks,
        is_ended,
        {% for column, _ in quantile_levels() -%}
            {{ round_significant('coalesce(greatest(' ~ column ~ ', lower_bound), ' ~ column ~ ')') }} as {{ column }},
        {% endfor -%}
        {{ round_significant('coalesce(greatest(mean, lower_bound), mean)') }} as mean

    from quantiles

)

select * from final
