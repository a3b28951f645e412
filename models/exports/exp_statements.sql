{{ config(materialized='view') }}

with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

statements as (

    select * from {{ ref('int_sales__statements') }}

),

-- At the newest complete week the days to come are known; a backtest knows what had happened by its cutoff.
cutoff_statements as (

    select
        cutoffs.cutoff_date,
        coalesce(cutoffs.cutoff_date >= cutoffs.newest_week_end_date, true) as is_newest,
        statements.item_id,
        statements.said_of,
        statements.opened_on,
        statements.closed_on,
        statements.is_still_sold

    from statements
    cross join cutoffs

),

final as (

    select
        cutoff_date,
        item_id,
        said_of,
        case when is_newest or opened_on <= cutoff_date then opened_on end as opened_on,
        case when is_newest or closed_on <= cutoff_date then closed_on end as closed_on,
        is_still_sold

    from cutoff_statements

)

select * from final
