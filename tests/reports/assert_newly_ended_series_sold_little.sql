-- Of what the chain sold a season ago, series that have newly fallen silent made less than one part in fifty. Of a past
-- cutoff that is forecast again nobody has to be told.
with

newest_week as (

    select max(week_end_date) as week_end_date
    from {{ ref('dim_week') }}
    where is_complete

),

ended_series as (

    select ended_series.*
    from {{ ref('rpt_ended_series') }} as ended_series
    inner join newest_week on ended_series.cutoff_date >= newest_week.week_end_date
    where ended_series.is_newly_ended and ended_series.closed_on is null

),

summed as (

    select
        count(*) as n_series,
        sum(season_ago_sales) as season_ago_sales,
        max(chain_season_ago_sales) as chain_season_ago_sales

    from ended_series

)

select
    ended_series.item_id,
    ended_series.ended_reason,
    ended_series.last_sold_week_end_date,
    ended_series.weeks_silent,
    ended_series.season_ago_sales,
    summed.chain_season_ago_sales

from ended_series
cross join summed
where
    50 * summed.season_ago_sales > summed.chain_season_ago_sales
    and ended_series.season_ago_sales > 0e0
order by ended_series.season_ago_sales desc, ended_series.item_id asc
