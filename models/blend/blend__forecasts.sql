with

members as (

    select * from {{ ref('blend__members') }}

),

forecasts as (

    select * from {{ ref('stg_forecasts__forecasts') }}

),

weights as (

    select * from {{ ref('blend__weights') }}

),

levels as (

    select * from {{ ref('blend__levels') }}

),

exponents as (

    select * from {{ ref('blend__exponents') }}

),

scales as (

    select * from {{ ref('blend__scales') }}

),

bands as (

    select * from {{ ref('blend__bands') }}

),

corrections as (

    select * from {{ ref('blend__corrections') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

blended as (

    select
        members.run_id,
        members.model_id,
        members.cutoff_date,
        forecasts.item_id,
        forecasts.week_end_date,
        forecasts.horizon_weeks,
        {{ lead_band('forecasts.horizon_weeks') }} as lead_band,
        {% for column, _ in quantile_levels() -%}
            {{ weighted_mean('forecasts.' ~ column, 'weights.weight') }} as {{ column }},
        {% endfor -%}
        {{ weighted_mean('forecasts.mean', 'weights.weight') }} as mean

    from members
    inner join forecasts
        on
            members.member_run_id = forecasts.run_id
            and members.prediction_length >= forecasts.horizon_weeks
    inner join weights
        on
            members.run_id = weights.run_id
            and members.member_model_id = weights.member_model_id
            and {{ lead_band('forecasts.horizon_weeks') }} = weights.lead_band
    group by 1, 2, 3, 4, 5, 6, 7

),

joined as (

    select
        blended.*,
        exponents.is_in_units,
        scales.error_scale * power(
            greatest(blended.p50, 0e0) + 1e-1 * levels.recent_level + levels.level_floor, exponents.exponent
        ) as error_scale,
        case
            when exponents.is_in_units then 1e0
            when bands.n_vintages >= 3 then 0.6e0
            else 0.5e0
        end as learned_share,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            bands.z_{{ column }},
        {% endfor -%}
        bands.narrowing,
        coalesce(corrections.log_correction, 0e0) as log_correction,
        settings.lower_bound

    from blended
    cross join settings
    inner join exponents on blended.run_id = exponents.run_id
    left join levels
        on
            blended.cutoff_date = levels.cutoff_date
            and blended.item_id = levels.item_id
    left join scales
        on
            blended.run_id = scales.run_id
            and blended.item_id = scales.item_id
    left join bands
        on
            blended.run_id = bands.run_id
            and blended.lead_band = bands.lead_band
    left join corrections
        on
            blended.run_id = corrections.run_id
            and blended.lead_band = corrections.lead_band

),

-- Without vintages the members' own widths stand around the p50, a tenth wider.
quantiles as (

    select
        run_id,
        model_id,
        cutoff_date,
        item_id,
        week_end_date,
        horizon_weeks,
        is_in_units,
        p50,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            p50 + case
                when error_scale is null or z_{{ column }} is null then 1.1e0 * ({{ column }} - p50)
                else
                    learned_share * error_scale * z_{{ column }}
                    + (1e0 - learned_share) * narrowing * ({{ column }} - p50)
            end as {{ column }},
        {% endfor -%}
        mean * exp(log_correction) as mean,
        lower_bound

    from joined

),

-- Of items in units so many are sold or so many more, nothing between.
whole as (

    select
        run_id,
        model_id,
        cutoff_date,
        item_id,
        week_end_date,
        horizon_weeks,
        lower_bound,
        {% for column, _ in quantile_levels() -%}
            case when is_in_units then round({{ column }}) + 0e0 else {{ column }} end as {{ column }},
        {% endfor -%}
        mean

    from quantiles

),

final as (

    select
        run_id,
        model_id,
        cutoff_date,
        item_id,
        week_end_date,
        horizon_weeks,
        {% for column, _ in quantile_levels() -%}
            {{ round_significant('coalesce(greatest(' ~ column ~ ', lower_bound), ' ~ column ~ ')') }} as {{ column }},
        {% endfor -%}
        {{ round_significant('coalesce(greatest(mean, lower_bound), mean)') }} as mean

    from whole

)

select * from final
