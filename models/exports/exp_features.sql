with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

register as (

    select * from {{ ref('int_features__register') }}

),

final as (

    select
        cutoffs.cutoff_date,
        register.feature_idx,
        register.feature_name,
        register.feature_level

    from cutoffs
    cross join register

)

select * from final
