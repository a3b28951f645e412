-- Of what the chain sold a season ago, series that have newly ended made less than one part in fifty.
with

ended_series as (

    select * from {{ ref('rpt_ended_series') }}
    where is_newly_ended

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
