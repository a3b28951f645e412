with

requested_cutoffs as (

    select * from {{ source('lake', 'requested_cutoffs') }}

),

bounds as (

    select * from {{ ref('int_week__bounds') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

newest as (

    select max(request_id) as request_id from requested_cutoffs

),

-- Without a request the newest complete week is the cutoff.
requests as (

    select
        requested_cutoffs.cutoff_date,
        requested_cutoffs.weeks_back,
        requested_cutoffs.kind,
        requested_cutoffs.horizon_weeks

    from requested_cutoffs
    inner join newest on requested_cutoffs.request_id = newest.request_id
    union all
    select
        cast(null as date) as cutoff_date,
        0 as weeks_back,
        'forecast' as kind,
        {{ var('prediction_length') }} as horizon_weeks

    from newest
    where newest.request_id is null

),

-- A day inside a week means the last week that had ended by then.
resolved as (

    select
        {{ add_weeks(
            'case
                when requests.cutoff_date is null then bounds.newest_week_end_date
                when ' ~ week_end('requests.cutoff_date', 'settings.week_anchor') ~ ' = requests.cutoff_date
                    then requests.cutoff_date
                else ' ~ add_weeks(week_end('requests.cutoff_date', 'settings.week_anchor'), -1) ~ '
            end',
            '-requests.weeks_back'
        ) }} as cutoff_date,
        requests.kind,
        requests.horizon_weeks,
        bounds.newest_week_end_date

    from requests
    cross join bounds
    cross join settings

),

final as (

    select
        resolved.cutoff_date,
        max(spine.week_idx) as cutoff_week_idx,
        min(resolved.kind) as kind,
        max(resolved.horizon_weeks) as horizon_weeks,
        coalesce(max(case when spine.is_complete then 1 end), 0) = 1 as has_sales,
        max(resolved.newest_week_end_date) as newest_week_end_date

    from resolved
    left join spine on resolved.cutoff_date = spine.week_end_date
    group by 1

)

select * from final
