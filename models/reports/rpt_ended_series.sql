with

series_by_cutoff as (

    select * from {{ ref('exp_series') }}

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

newest_cutoff as (

    select max(cutoff_date) as cutoff_date from series_by_cutoff

),

newest_series as (

    select
        series_by_cutoff.*,
        {{ add_weeks('series_by_cutoff.cutoff_date', '-' ~ var('season_weeks')) }} as season_ago_cutoff_date

    from series_by_cutoff
    inner join newest_cutoff on series_by_cutoff.cutoff_date = newest_cutoff.cutoff_date

),

-- What was sold in the weeks of the horizon one season before.
season_ago as (

    select
        newest_series.item_id,
        sum(cast(weekly_sales.sales as decimal(18, 4))) as season_ago_sales

    from newest_series
    inner join weekly_sales
        on
            newest_series.item_id = weekly_sales.item_id
            and newest_series.season_ago_cutoff_date < weekly_sales.week_end_date
    where
        date_diff('day', newest_series.season_ago_cutoff_date, weekly_sales.week_end_date)
        <= 7 * newest_series.horizon_weeks
        and weekly_sales.week_end_date <= newest_series.cutoff_date
    group by 1

),

measured as (

    select
        newest_series.*,
        coalesce(season_ago.season_ago_sales, 0) as season_ago_sales,
        sum(coalesce(season_ago.season_ago_sales, 0)) over (partition by newest_series.cutoff_date)
            as chain_season_ago_sales,
        case
            when newest_series.ended_reason = 'closed_on'
                then date_diff('day', newest_series.closed_on, newest_series.cutoff_date)
            else 7 * (newest_series.weeks_silent_open - newest_series.silence_limit_weeks - 1)
        end as days_since_end

    from newest_series
    left join season_ago on newest_series.item_id = season_ago.item_id

),

final as (

    select
        item_id,
        store_id,
        department_id,
        cutoff_date,
        ended_reason,
        last_sold_week_end_date,
        weeks_silent,
        longest_silence_weeks,
        silence_limit_weeks,
        closed_on,
        -- A quarter of a year is long enough for nobody to miss it.
        days_since_end < 7 * {{ var('least_silence_weeks') }} as is_newly_ended,
        cast(season_ago_sales as double) as season_ago_sales,
        cast(chain_season_ago_sales as double) as chain_season_ago_sales

    from measured
    where treatment = 'ended'

)

select * from final
