with

series as (

    select * from {{ ref('exp_series') }}

)

select
    cutoff_date,
    item_id,
    closed_on,
    last_sold_week_end_date

from series
where
    ended_reason = 'closed_on'
    and date_diff('day', closed_on, last_sold_week_end_date) > 6
order by cutoff_date desc, item_id asc
