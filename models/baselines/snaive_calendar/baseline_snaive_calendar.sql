with

naive as (

    select * from {{ ref('baseline_snaive_52') }}

),

points as (

    select * from {{ ref('snaive_calendar__points') }}
    where not is_backtest

),

young as (

    select * from {{ ref('snaive_calendar__young') }}

),

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

floors as (

    select * from {{ ref('snaive_calendar__floors') }}

),

scales as (

    select * from {{ ref('snaive_calendar__scales') }}

),

band as (

    select * from {{ ref('snaive_calendar__band') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}
    where not is_backtest

),

shares_ahead as (

    select * from {{ ref('exp_shares_ahead') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

-- What no last year tells is forecast as by the naive, of the sales as they were; an ended series is 0 in both.
forecasts as (

    select
        naive.*,
        {{ lead_band('naive.horizon_weeks') }} as lead_band,
        cutoffs.cutoff_week_idx,
        origins.exposure_key,
        coalesce(points.point_forecast, young.point_forecast) as own_forecast,
        coalesce(shares_ahead.week_share, 1e0) as week_share,
        coalesce(
            coalesce(points.point_forecast, young.point_forecast) * coalesce(shares_ahead.week_share, 1e0), naive.mean
        ) as point_forecast

    from naive
    inner join cutoffs on naive.cutoff_date = cutoffs.cutoff_date
    left join origins on naive.cutoff_date = origins.cutoff_date
    left join shares_ahead
        on
            naive.cutoff_date = shares_ahead.cutoff_date
            and naive.item_id = shares_ahead.item_id
            and naive.horizon_weeks = shares_ahead.horizon_weeks
    left join points
        on
            naive.cutoff_date = points.cutoff_date
            and naive.item_id = points.item_id
            and naive.horizon_weeks = points.horizon_weeks
    left join young
        on
            naive.cutoff_date = young.cutoff_date
            and naive.item_id = young.item_id
            and naive.horizon_weeks = young.horizon_weeks

),

joined as (

    select
        forecasts.cutoff_date,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.horizon_weeks,
        forecasts.is_ended,
        forecasts.point_forecast,
        case
            when forecasts.own_forecast is not null and floors.error_floor > 0e0
                then
                    forecasts.week_share
                    * scales.error_scale
                    * greatest(forecasts.own_forecast, floors.error_floor)
        end as error_scale,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            band.z_{{ column }},
            forecasts.{{ column }} - forecasts.p50 as naive_{{ column }},
        {% endfor -%}
        settings.lower_bound

    from forecasts
    cross join settings
    left join floors
        on
            forecasts.exposure_key = floors.exposure_key
            and forecasts.cutoff_week_idx = floors.origin_week_idx
            and forecasts.item_id = floors.item_id
    left join scales
        on
            forecasts.cutoff_date = scales.cutoff_date
            and forecasts.item_id = scales.item_id
    left join band
        on
            forecasts.cutoff_date = band.cutoff_date
            and forecasts.lead_band = band.lead_band

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
