{{ config(materialized='table') }}

with

champions as (

    select * from {{ ref('stg_forecasts__champions') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

withdrawals as (

    select * from {{ ref('stg_forecasts__withdrawals') }}

),

first_choice as (

    select coalesce(min(set_at), timestamp '9999-12-31 00:00:00') as set_at from champions

),

forecasts_before as (

    select
        runs.model_id,
        runs.landed_at

    from runs
    inner join first_choice on runs.landed_at < first_choice.set_at
    left join withdrawals on runs.run_id = withdrawals.run_id
    where runs.requested_kind = 'forecast' and withdrawals.run_id is null

),

first_forecasts as (

    select
        min(case when model_id = 'blend' then landed_at end) as blend_landed_at,
        min(case when model_id = 'deepar' then landed_at end) as deepar_landed_at

    from forecasts_before

),

-- Until a model is chosen it is the blend, and DeepAR as long as that has forecast and no blend has.
unchosen as (

    select
        case
            when deepar_landed_at < coalesce(blend_landed_at, timestamp '9999-12-31 00:00:00') then 'deepar'
            else 'blend'
        end as model_id,
        blend_landed_at

    from first_forecasts

),

beginnings as (

    select
        model_id,
        timestamp '0001-01-01 00:00:00' as begins_at

    from unchosen
    union all
    select
        'blend' as model_id,
        blend_landed_at as begins_at

    from unchosen
    where model_id = 'deepar' and blend_landed_at is not null
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
