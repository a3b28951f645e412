select
    cutoff_date,
    horizon_weeks

from {{ ref('exp_cutoffs') }}
where not has_sales
