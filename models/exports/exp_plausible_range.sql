with

series as (

    select * from {{ ref('exp_series') }}
    where treatment <> 'ended'

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

past_sales as (

    select
        series.cutoff_date,
        series.item_id,
        series.n_weeks,
        sales_filled.week_idx,
        sales_filled.sales

    from series
    inner join sales_filled
        on
            series.item_id = sales_filled.item_id
            and series.cutoff_week_idx >= sales_filled.week_idx

),

sold as (

    select
        cutoff_date,
        item_id,
        max(n_weeks) as n_weeks,
        coalesce(max(abs(sales)), 0e0) as highest_sales

    from past_sales
    group by 1, 2

),

ranked as (

    select
        cutoff_date,
        highest_sales,
        row_number() over (partition by cutoff_date order by highest_sales, item_id) as sales_rank,
        count(*) over (partition by cutoff_date) as n_series

    from sold
    where highest_sales > 0e0

),

-- The median by rank is the same on every engine.
typical as (

    select
        cutoff_date,
        max(highest_sales) as highest_sales

    from ranked
    where sales_rank <= (n_series + 1) / 2e0
    group by 1

),

-- Sums of decimals do not depend on the order of the rows.
chain_weeks as (

    select
        cutoff_date,
        week_idx,
        cast(sum(cast(sales as decimal(28, 4))) as double) as sales

    from past_sales
    where sales is not null
    group by 1, 2

),

chain as (

    select
        cutoff_date,
        max(abs(sales)) as highest_sales

    from chain_weeks
    group by 1

),

final as (

    select
        sold.cutoff_date,
        sold.item_id,
        sold.n_weeks,
        sold.highest_sales,
        -- A series of less than a season may have its high weeks before it; others are judged by their own sales.
        -- Where nothing was ever sold there is nothing to judge by.
        {{ var('plausible_multiple') }} * nullif(greatest(
            sold.highest_sales,
            coalesce(typical.highest_sales, 0e0)
            * case when sold.n_weeks > {{ var('season_weeks') }} then {{ var('plausible_floor') }}e0 else 1e0 end
        ), 0e0) as largest_plausible,
        {{ var('plausible_chain_multiple') }} * nullif(chain.highest_sales, 0e0) as chain_largest_plausible

    from sold
    left join typical on sold.cutoff_date = typical.cutoff_date
    left join chain on sold.cutoff_date = chain.cutoff_date

)

select * from final
