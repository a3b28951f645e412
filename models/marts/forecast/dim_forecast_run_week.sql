with

runs as (

    select * from {{ ref('dim_forecast_run') }}

),

weeks as (

    select * from {{ ref('dim_week') }}
    where is_complete

),

weekly_sales as (

    select * from {{ ref('fct_weekly_sales') }}

),

naive_errors as (

    select * from {{ ref('int_sales__naive_errors') }}

),

naive_runs as (

    select
        batch_id,
        cutoff_date,
        max(run_id) as naive_run_id

    from runs
    where model_id = 'snaive_52'
    group by 1, 2

),

passed_weeks as (

    select
        runs.run_id,
        runs.kind,
        runs.is_current,
        runs.is_champion,
        runs.cutoff_date,
        naive_runs.naive_run_id,
        weeks.week_end_date,
        weeks.week_weight

    from runs
    inner join weeks
        on
            runs.cutoff_date < weeks.week_end_date
            and {{ add_weeks('runs.cutoff_date', 'runs.prediction_length') }} >= weeks.week_end_date
    left join naive_runs
        on
            runs.batch_id = naive_runs.batch_id
            and runs.cutoff_date = naive_runs.cutoff_date

),

compared_weeks as (

    select distinct week_end_date from passed_weeks

),

compared_cutoffs as (

    select distinct cutoff_date from passed_weeks

),

sales_digests as (

    select
        weekly_sales.week_end_date,
        sum({{ text_number(
            "weekly_sales.item_id || '=' || cast(" ~ double_bits('weekly_sales.sales') ~ " as varchar)"
        ) }}) as sales_digest

    from weekly_sales
    inner join compared_weeks on weekly_sales.week_end_date = compared_weeks.week_end_date
    where weekly_sales.sales is not null
    group by 1

),

scale_digests as (

    select
        naive_errors.week_end_date as cutoff_date,
        sum({{ text_number(
            "naive_errors.item_id || '=' || cast(" ~ double_bits('naive_errors.seasonal_scale') ~ " as varchar)"
        ) }}) as scale_digest

    from naive_errors
    inner join compared_cutoffs on naive_errors.week_end_date = compared_cutoffs.cutoff_date
    where naive_errors.seasonal_scale is not null
    group by 1

),

-- All that the row of a series in that week is made of beside its forecast. The number stands for the rules of the
-- facts: with another one all of them are made again.
described as (

    select
        passed_weeks.*,
        passed_weeks.run_id
        || ' 2 ' || cast(passed_weeks.week_end_date as varchar)
        || ' ' || passed_weeks.kind
        || ' ' || cast(passed_weeks.is_current as varchar)
        || ' ' || cast(passed_weeks.is_champion as varchar)
        || ' ' || coalesce(passed_weeks.naive_run_id, '')
        || ' ' || coalesce(cast({{ double_bits('passed_weeks.week_weight') }} as varchar), '')
        || ' ' || coalesce(cast(sales_digests.sales_digest as varchar), '')
        || ' ' || coalesce(cast(scale_digests.scale_digest as varchar), '') as description

    from passed_weeks
    left join sales_digests on passed_weeks.week_end_date = sales_digests.week_end_date
    left join scale_digests on passed_weeks.cutoff_date = scale_digests.cutoff_date

),

digested as (

    select
        *,
        {{ text_number('description') }} * 1073741824
        + mod({{ text_number("description || '#'") }}, 1073741824) as inputs_digest

    from described

),

run_digests as (

    select
        run_id,
        {{ digest_of_digests('inputs_digest') }} as run_inputs_digest

    from digested
    group by 1

),

final as (

    select
        digested.run_id,
        digested.week_end_date,
        digested.cutoff_date,
        cast(date_diff('day', digested.cutoff_date, digested.week_end_date) / 7 as integer) as horizon_weeks,
        digested.kind,
        digested.is_current,
        digested.is_champion,
        digested.naive_run_id,
        digested.week_weight,
        digested.inputs_digest,
        cast(run_digests.run_inputs_digest as bigint) as run_inputs_digest

    from digested
    inner join run_digests on digested.run_id = run_digests.run_id

)

select * from final
