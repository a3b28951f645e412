with

all_series as (

    select * from {{ ref('exp_series') }}

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

series as (

    select * from all_series
    where treatment <> 'ended'

),

-- Zeros are landed, so that an ended series that sells again counts as an error; those gone for years get no row.
ended_series as (

    select * from all_series
    where
        treatment = 'ended'
        and (weeks_silent is null or weeks_silent <= {{ var('zeros_for_weeks') }})

),

-- Sums are of decimals: those of doubles depend on the order of the rows, and a rounded quantile would show it.
history as (

    select
        series.cutoff_date,
        series.item_id,
        {{ safe_divide('sum(cast(abs(sales_filled.sales) as decimal(18, 4)))', 'count(sales_filled.sales)') }}
            as sales_level,
        -- What sold last a quarter of a year ago is no guess at next week.
        case
            when coalesce(max(series.weeks_silent_open), 0) <= {{ var('least_silence_weeks') }}
                then max_by(sales_filled.sales, sales_filled.week_idx) filter (where sales_filled.sales is not null)
        end as last_known_sales

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
        naive_errors.last_value_error

    from series
    inner join naive_errors
        on
            series.item_id = naive_errors.item_id
            and series.cutoff_week_idx >= naive_errors.week_idx

),

error_sums as (

    select
        cutoff_date,
        item_id,
        count(seasonal_error) as n_seasonal_errors,
        sum(cast(abs(seasonal_error) as decimal(18, 4))) as sum_abs_seasonal_error,
        count(last_value_error) as n_last_value_errors,
        sum(cast(abs(last_value_error) as decimal(18, 4))) as sum_abs_last_value_error

    from past_errors
    group by 1, 2

),

-- Errors of the rule that applies to the series: last year's week, else the last observed week.
item_errors as (

    select
        history.cutoff_date,
        history.item_id,
        history.sales_level,
        history.last_known_sales,
        coalesce(error_sums.n_seasonal_errors, 0) > 0 as is_seasonal,
        case
            when error_sums.n_seasonal_errors > 0 then error_sums.n_seasonal_errors
            else coalesce(error_sums.n_last_value_errors, 0)
        end as n_errors,
        coalesce(cast(
            case
                when error_sums.n_seasonal_errors > 0 then error_sums.sum_abs_seasonal_error
                else error_sums.sum_abs_last_value_error
            end as double
        ), 0e0) as sum_abs_error

    from history
    left join error_sums
        on
            history.cutoff_date = error_sums.cutoff_date
            and history.item_id = error_sums.item_id

),

cutoff_errors as (

    select
        item_errors.*,
        {{ safe_divide(
            'sum(cast(sum_abs_error as decimal(38, 6))) over (partition by cutoff_date)',
            'sum(cast(n_errors * sales_level as decimal(38, 6))) over (partition by cutoff_date)'
        ) }} as relative_error

    from item_errors

),

-- The mean absolute error of a series, pulled towards the chain's as if by twelve more weeks.
scales as (

    select
        cutoff_date,
        item_id,
        is_seasonal,
        last_known_sales,
        (sum_abs_error + 12e0 * sales_level * coalesce(relative_error, 0e0)) / (n_errors + 12e0) as error_scale

    from cutoff_errors

),

scaled_errors as (

    select
        past_errors.cutoff_date,
        case when scales.is_seasonal then past_errors.seasonal_error else past_errors.last_value_error end
        / scales.error_scale as scaled_error

    from past_errors
    inner join scales
        on
            past_errors.cutoff_date = scales.cutoff_date
            and past_errors.item_id = scales.item_id
    where scales.error_scale > 0e0

),

ranked_errors as (

    select
        cutoff_date,
        scaled_error,
        row_number() over (partition by cutoff_date order by scaled_error) as error_rank,
        count(*) over (partition by cutoff_date) as n_errors

    from scaled_errors
    where scaled_error is not null

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

live_points as (

    select
        horizons.cutoff_date,
        horizons.item_id,
        horizons.week_end_date,
        horizons.horizon_weeks,
        false as is_ended,
        scales.error_scale,
        coalesce(season_ago.sales, scales.last_known_sales, 0e0) as point_forecast

    from horizons
    inner join scales
        on
            horizons.cutoff_date = scales.cutoff_date
            and horizons.item_id = scales.item_id
    left join sales_filled as season_ago
        on
            horizons.item_id = season_ago.item_id
            and horizons.season_ago_week_idx = season_ago.week_idx

),

points as (

    select * from live_points
    union all
    select
        ended_series.cutoff_date,
        ended_series.item_id,
        spine.week_end_date,
        spine.week_idx - ended_series.cutoff_week_idx as horizon_weeks,
        true as is_ended,
        0e0 as error_scale,
        0e0 as point_forecast

    from ended_series
    inner join spine
        on
            ended_series.cutoff_week_idx < spine.week_idx
            and ended_series.cutoff_week_idx + ended_series.horizon_weeks >= spine.week_idx

),

quantiles as (

    select
        points.cutoff_date,
        points.item_id,
        points.week_end_date,
        points.horizon_weeks,
        points.is_ended,
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
        is_ended,
        {% for column, level in quantile_levels() -%}
            {{ round_significant('coalesce(greatest(' ~ column ~ ', lower_bound), ' ~ column ~ ')') }} as {{ column }},
        {% endfor -%}
        {{ round_significant('coalesce(greatest(mean, lower_bound), mean)') }} as mean

    from quantiles

)

select * from final
