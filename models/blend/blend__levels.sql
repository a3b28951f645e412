with

members as (

    select * from {{ ref('blend__members') }}

),

vintages as (

    select * from {{ ref('blend__vintages') }}

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

origins as (

    select distinct
        cutoff_date,
        cutoff_week_idx

    from members
    union distinct
    select distinct
        vintage_cutoff_date as cutoff_date,
        vintage_week_idx as cutoff_week_idx

    from vintages

),

recent as (

    select
        origins.cutoff_date,
        sales_filled.item_id,
        {{ exact_mean('sales_filled.sales') }} as mean_sales

    from origins
    inner join sales_filled
        on
            origins.cutoff_week_idx >= sales_filled.week_idx
            and origins.cutoff_week_idx < sales_filled.week_idx + 26
    where sales_filled.sales is not null
    group by 1, 2

),

seen as (

    select
        origins.cutoff_date,
        sales_filled.item_id,
        min(sales_filled.store_id) as store_id,
        min(sales_filled.department_id) as department_id,
        count(case when sales_filled.sales <> floor(sales_filled.sales) then 1 end) as n_fractions

    from origins
    inner join sales_filled on origins.cutoff_week_idx >= sales_filled.week_idx
    group by 1, 2

),

sized as (

    select
        seen.*,
        greatest(0e0, coalesce(recent.mean_sales, 0e0)) as recent_level

    from seen
    left join recent
        on
            seen.cutoff_date = recent.cutoff_date
            and seen.item_id = recent.item_id

),

chains as (

    select
        cutoff_date,
        sum(n_fractions) as n_fractions,
        {{ exact_mean('recent_level') }} as mean_level,
        count(*) as n_series

    from sized
    group by 1

),

-- The floor is the least that a series is taken to sell where errors are set against its size. Some five thousand
-- series tell the shape of the errors as well as all of them.
final as (

    select
        sized.cutoff_date,
        sized.item_id,
        sized.store_id,
        sized.department_id,
        sized.recent_level,
        chains.n_fractions = 0 and chains.mean_level < 100 as is_in_units,
        case
            when chains.n_fractions = 0 and chains.mean_level < 100 then 1e0
            else chains.mean_level * 1e-3
        end as level_floor,
        mod(
            {{ text_number('sized.item_id') }},
            cast(greatest(1e0, floor(chains.n_series / 5e3)) as bigint)
        ) = 0 as is_sampled

    from sized
    inner join chains on sized.cutoff_date = chains.cutoff_date

)

select * from final
