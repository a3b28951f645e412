{{ config(meta={'help': 'A requested cutoff lies outside the complete weeks of the landed sales. Choose a --cutoff between the first and the newest complete week (marts.dim_week), or land the missing weeks.'}) }}

select
    cutoff_date,
    horizon_weeks

from {{ ref('exp_cutoffs') }}
where not has_sales
