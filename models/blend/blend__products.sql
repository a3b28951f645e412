with

member_errors as (

    select * from {{ ref('blend__member_errors') }}

),

-- An error counts by the root of its series' size, so that neither the largest series nor the smallest decide alone.
sized as (

    select
        member_model_id,
        vintage_cutoff_date,
        item_id,
        week_end_date,
        lead_band,
        (actual - p50) / sqrt(recent_level + level_floor) as sized_error

    from member_errors
    where recent_level + level_floor > 0e0

),

means as (

    select
        vintage_cutoff_date,
        week_end_date,
        cast(sum({{ exact('abs(sized_error)') }}) as double) / count(*) as mean_abs_error

    from sized
    group by 1, 2

),

clipped as (

    select
        sized.member_model_id,
        sized.vintage_cutoff_date,
        sized.item_id,
        sized.week_end_date,
        sized.lead_band,
        greatest(-6e0, least(6e0, sized.sized_error / means.mean_abs_error)) as clipped_error

    from sized
    inner join means
        on
            sized.vintage_cutoff_date = means.vintage_cutoff_date
            and sized.week_end_date = means.week_end_date
    where means.mean_abs_error > 0e0

),

final as (

    select
        first_member.vintage_cutoff_date,
        first_member.week_end_date,
        first_member.member_model_id as first_model_id,
        second_member.member_model_id as second_model_id,
        first_member.lead_band,
        cast(sum({{ exact('first_member.clipped_error * second_member.clipped_error') }}) as double)
        / count(*) as mean_product

    from clipped as first_member
    inner join clipped as second_member
        on
            first_member.vintage_cutoff_date = second_member.vintage_cutoff_date
            and first_member.item_id = second_member.item_id
            and first_member.week_end_date = second_member.week_end_date
            and first_member.member_model_id <= second_member.member_model_id
    group by 1, 2, 3, 4, 5

)

select * from final
