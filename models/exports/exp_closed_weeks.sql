{{ config(materialized='view') }}

with

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

statements as (

    select * from {{ ref('exp_statements') }}

),

shares_ahead as (

    select * from {{ ref('exp_shares_ahead') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

closed as (

    select
        series.cutoff_date,
        series.item_id,
        cast(spine.week_idx - series.cutoff_week_idx as integer) as horizon_weeks

    from series
    inner join statements
        on
            series.cutoff_date = statements.cutoff_date
            and series.item_id = statements.item_id
    inner join spine
        on
            series.cutoff_week_idx < spine.week_idx
            and series.cutoff_week_idx + series.horizon_weeks >= spine.week_idx
    where {{ is_closed_week('spine.week_end_date', 'statements.opened_on', 'statements.closed_on') }}

    union all
    select
        cutoff_date,
        item_id,
        horizon_weeks

    from shares_ahead
    where week_share = 0e0

),

-- More than one may say so.
final as (

    select distinct
        cutoff_date,
        item_id,
        horizon_weeks

    from closed

)

select * from final
