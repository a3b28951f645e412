with

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

naive_errors as (

    select * from {{ ref('int_sales__naive_errors') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

history as (

    select
        series.cutoff_date,
        series.item_id,
        avg(abs(sales_filled.sales)) as sales_level,
        max_by(sales_filled.sales, sales_filled.week_idx) filter (where sales_filled.sales is not null)
            as last_known_sales

    from series
    inner join sales_filled
        on
            series.item_id = sales_filled.item_id
            and series.cutoff_week_idx >= sales_filled.week_idx
    group by 1, 2

),

past_errors as (

    select
        series.cutoff_date,
        series.item_id,
        naive_errors.seasonal_error,
        naive_errors.last_value_error,
        count(naive_errors.seasonal_error) over (partition by series.cutoff_date, series.item_id)
            as n_seasonal_errors

    from series
    inner join naive_errors
        on
            series.item_id = naive_errors.item_id
            and series.cutoff_week_idx >= naive_errors.week_idx

),

-- Errors of the rule that applies to the series: last year's week, else the last observed week.
own_errors as (

    select
        cutoff_date,
        item_id,
        case when n_seasonal_errors > 0 then seasonal_error else last_value_error end as error

    from past_errors

),

item_errors as (

    select
        history.cutoff_date,
        history.item_id,
        history.sales_level,
        coalesce(sum(abs(own_errors.error)), 0e0) as sum_abs_error,
        count(own_errors.error) as n_errors

    from history
    left join own_errors
        on
            history.cutoff_date = own_errors.cutoff_date
            and history.item_id = own_errors.item_id
    group by 1, 2, 3

),

cutoff_errors as (

    select
        cutoff_date,
        {{ safe_divide('sum(sum_abs_error)', 'sum(n_errors * sales_level)') }} as relative_error

    from item_errors
    group by 1

),

-- The mean absolute error of a series, pulled towards the chain's as if by twelve more weeks.
scales as (

    select
        item_errors.cutoff_date,
        item_errors.item_id,
        (
            item_errors.sum_abs_error
            + 12e0 * item_errors.sales_level * coalesce(cutoff_errors.relative_error, 0e0)
        ) / (item_errors.n_errors + 12e0) as error_scale

    from item_errors
    inner join cutoff_errors on item_errors.cutoff_date = cutoff_errors.cutoff_date

),

scaled_errors as (

    select
        own_errors.cutoff_date,
        own_errors.error / scales.error_scale as scaled_error

    from own_errors
    inner join scales
        on
            own_errors.cutoff_date = scales.cutoff_date
            and own_errors.item_id = scales.item_id
    where own_errors.error is not null and scales.error_scale > 0e0

),

ranked_errors as (

    select
        cutoff_date,
        scaled_error,
        row_number() over (partition by cutoff_date order by scaled_error) as error_rank,
        count(*) over (partition by cutoff_date) as n_errors

    from scaled_errors

),

-- Quantiles by rank are the same on every engine; the median stays the naive forecast itself.
band as (

    select
        cutoff_date,
        {% for column, level in quantile_levels() if column != 'p50' -%}
            {{ 'least' if level < '0.5e0' else 'greatest' }}(0e0, max(
                case when error_rank = greatest(1, cast(ceil({{ level }} * n_errors) as bigint)) then scaled_error end
            )) as z_{{ column }},
        {% endfor -%}
        count(*) as n_errors

    from ranked_errors
    group by 1

),

horizons as (

    select
        series.cutoff_date,
        series.item_id,
        spine.week_end_date,
        spine.week_idx - series.cutoff_week_idx as horizon_weeks,
        -- A horizon beyond one season looks back two.
        spine.week_idx
        - {{ var('season_weeks') }} * cast(ceil(
            cast(spine.week_idx - series.cutoff_week_idx as double) / {{ var('season_weeks') }}
        ) as integer) as season_ago_week_idx

    from series
    inner join spine
        on
            series.cutoff_week_idx < spine.week_idx
            and series.cutoff_week_idx + series.horizon_weeks >= spine.week_idx

),

points as (

    select
        horizons.cutoff_date,
        horizons.item_id,
        horizons.week_end_date,
        horizons.horizon_weeks,
        scales.error_scale,
        coalesce(season_ago.sales, history.last_known_sales, 0e0) as point_forecast

    from horizons
    inner join history
        on
            horizons.cutoff_date = history.cutoff_date
            and horizons.item_id = history.item_id
    inner join scales
        on
            horizons.cutoff_date = scales.cutoff_date
            and horizons.item_id = scales.item_id
    left join sales_filled as season_ago
        on
            horizons.item_id = season_ago.item_id
            and horizons.season_ago_week_idx = season_ago.week_idx

),

quantiles as (

    select
        points.cutoff_date,
        points.item_id,
        points.week_end_date,
        points.horizon_weeks,
        points.point_forecast as mean,
        {% for column, level in quantile_levels() -%}
            {%- if column == 'p50' -%}
                points.point_forecast as p50,
            {% else -%}
                points.point_forecast + points.error_scale * coalesce(band.z_{{ column }}, 0e0) as {{ column }},
            {% endif -%}
        {%- endfor %}
        settings.lower_bound

    from points
    cross join settings
    left join band on points.cutoff_date = band.cutoff_date

),

final as (

    select
        cutoff_date,
        item_id,
        week_end_date,
        cast(horizon_weeks as integer) as horizon_weeks,
        {% for column, level in quantile_levels() -%}
            {{ round_significant('coalesce(greatest(' ~ column ~ ', lower_bound), ' ~ column ~ ')') }} as {{ column }},
        {% endfor -%}
        {{ round_significant('coalesce(greatest(mean, lower_bound), mean)') }} as mean

    from quantiles

)

select * from final
