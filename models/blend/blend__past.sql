with

vintages as (

    select * from {{ ref('blend__vintages') }}

),

member_errors as (

    select * from {{ ref('blend__member_errors') }}

),

weights as (

    select * from {{ ref('blend__weights') }}

),

-- What the blend would have said then with the weights of now.
final as (

    select
        vintages.run_id,
        vintages.vintage_cutoff_date,
        member_errors.item_id,
        member_errors.week_end_date,
        member_errors.lead_band,
        min(member_errors.store_id) as store_id,
        min(member_errors.department_id) as department_id,
        min(member_errors.recent_level) as recent_level,
        min(member_errors.level_floor) as level_floor,
        coalesce(max(case when member_errors.is_sampled then 1 end), 0) = 1 as is_sampled,
        {{ weighted_mean('member_errors.mean', 'weights.weight') }} as mean,
        {{ weighted_mean('member_errors.p50', 'weights.weight') }} as p50,
        {{ weighted_mean('abs(member_errors.actual - member_errors.p50)', 'weights.weight') }} as member_abs_error,
        min(member_errors.actual) as actual

    from vintages
    inner join member_errors
        on
            vintages.member_run_id = member_errors.member_run_id
            and vintages.cutoff_date >= member_errors.week_end_date
    inner join weights
        on
            vintages.run_id = weights.run_id
            and vintages.member_model_id = weights.member_model_id
            and member_errors.lead_band = weights.lead_band
    group by 1, 2, 3, 4, 5

)

select * from final
