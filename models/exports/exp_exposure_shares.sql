with

exposure as (

    select * from {{ ref('exp_exposure') }}

),

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

exposures as (

    select * from {{ ref('int_exposure__weekly') }}

),

final as (

    select
        cutoffs.cutoff_date,
        exposures.store_id,
        exposures.department_id,
        exposures.week_idx,
        case
            when exposures.exposure > 0e0 then round(power(exposures.exposure, exposure.exponent), 9)
            else 0e0
        end as week_share

    from exposure
    inner join cutoffs on exposure.cutoff_date = cutoffs.cutoff_date
    inner join exposures
        on
            exposure.series_name = exposures.series_name
            and cutoffs.cutoff_week_idx + cutoffs.horizon_weeks >= exposures.week_idx
    where exposures.exposure is not null

)

select * from final
