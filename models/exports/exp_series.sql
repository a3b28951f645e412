with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

stores as (

    select * from {{ ref('stg_retail__stores') }}

),

-- Only weeks up to the cutoff count: what came later is unknown to every column here.
seen as (

    select
        cutoffs.cutoff_date,
        cutoffs.cutoff_week_idx,
        cutoffs.horizon_weeks,
        sales_filled.item_id,
        min(sales_filled.store_id) as store_id,
        min(sales_filled.department_id) as department_id,
        min(sales_filled.week_idx) as first_week_idx,
        min(sales_filled.week_end_date) as first_week_end_date,
        max(case when sales_filled.is_observed then sales_filled.week_end_date end) as last_week_end_date,
        max(case when sales_filled.is_observed then sales_filled.week_idx end) as last_week_idx,
        cast(count(*) as integer) as n_weeks,
        cast(count_if(sales_filled.is_observed) as integer) as n_observed,
        coalesce(max(abs(sales_filled.sales)), 0e0) as max_abs_sales

    from sales_filled
    inner join cutoffs on sales_filled.week_idx <= cutoffs.cutoff_week_idx
    group by 1, 2, 3, 4

),

judged as (

    select
        seen.*,
        seen.cutoff_week_idx - seen.last_week_idx > {{ var('ended_after_weeks') }}
        or coalesce(stores.closed_on <= seen.cutoff_date, false) as is_ended,
        seen.n_weeks >= seen.horizon_weeks and seen.max_abs_sales > 0e0 as is_long_enough

    from seen
    left join stores on seen.store_id = stores.store_id

),

store_codes as (

    select
        cutoff_date,
        store_id,
        cast(row_number() over (
            partition by cutoff_date order by min(first_week_idx), store_id
        ) - 1 as integer) as store_code

    from judged
    where is_long_enough and not is_ended
    group by 1, 2

),

department_codes as (

    select
        cutoff_date,
        department_id,
        cast(row_number() over (
            partition by cutoff_date order by min(first_week_idx), department_id
        ) - 1 as integer) as department_code

    from judged
    where is_long_enough and not is_ended
    group by 1, 2

),

final as (

    select
        judged.cutoff_date,
        judged.item_id,
        judged.store_id,
        judged.department_id,
        judged.cutoff_week_idx,
        judged.horizon_weeks,
        judged.first_week_idx,
        judged.first_week_end_date,
        judged.last_week_end_date,
        judged.n_weeks,
        judged.n_observed,
        case
            when judged.is_ended then 'ended'
            when judged.is_long_enough then 'trained'
            when
                judged.max_abs_sales > 0e0
                and store_codes.store_code is not null
                and department_codes.department_code is not null
                then 'inferred'
            else 'fallback'
        end as treatment,
        store_codes.store_code,
        department_codes.department_code

    from judged
    left join store_codes
        on
            judged.cutoff_date = store_codes.cutoff_date
            and judged.store_id = store_codes.store_id
    left join department_codes
        on
            judged.cutoff_date = department_codes.cutoff_date
            and judged.department_id = department_codes.department_id

)

select * from final
