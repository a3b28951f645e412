{{ config(materialized='table') }}

with

champions as (

    select * from {{ ref('stg_forecasts__champions') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

first_choice as (

    select coalesce(min(set_at), timestamp '9999-12-31 00:00:00') as set_at from champions

),

-- Until a model is chosen it is the blend, and DeepAR as long as no blend has forecast.
beginnings as (

    select
        'deepar' as model_id,
        timestamp '0001-01-01 00:00:00' as begins_at
    union all
    select
        'blend' as model_id,
        min(runs.landed_at) as begins_at

    from runs
    inner join first_choice on runs.landed_at < first_choice.set_at
    where runs.model_id = 'blend' and runs.requested_kind = 'forecast'
    having count(*) > 0
    union all
    select
        model_id,
        set_at as begins_at

    from champions

),

final as (

    select
        model_id,
        begins_at,
        coalesce(
            lead(begins_at) over (order by begins_at asc, model_id desc), timestamp '9999-12-31 00:00:00'
        ) as ends_at,
        lead(begins_at) over (order by begins_at asc, model_id desc) is null as is_champion

    from beginnings

)

select * from final
