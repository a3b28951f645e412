with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

)

select
    cutoff_date,
    horizon_weeks

from cutoffs
where not has_sales
