with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

evidence as (

    select * from {{ ref('int_exposure__evidence') }}

),

register as (

    select * from {{ ref('stg_retail__related_series_register') }}

),

-- A week is judged against the one after it too. What all stores did in the same week may be the feast that closed
-- them: it counts a quarter of what some did and others did not.
week_moments as (

    select
        cutoffs.cutoff_date,
        evidence.series_name,
        evidence.n_weeks,
        evidence.n_exposed,
        evidence.n_sold_unexposed,
        evidence.n_changes,
        evidence.n_clear_changes,
        evidence.sum_exposure_squared
        - 0.75e0 * evidence.sum_exposure * evidence.sum_exposure / greatest(evidence.n_changes, 1) as exposure_moment,
        evidence.sum_sales_squared
        - 0.75e0 * evidence.sum_sales * evidence.sum_sales / greatest(evidence.n_changes, 1) as sales_moment,
        evidence.sum_product
        - 0.75e0 * evidence.sum_exposure * evidence.sum_sales / greatest(evidence.n_changes, 1) as product_moment,
        coalesce(register.is_exposure, false) as is_said

    from cutoffs
    inner join evidence on cutoffs.cutoff_week_idx > evidence.week_idx
    inner join register on evidence.series_name = register.series_name

),

-- The exponent is pulled to 1 as if by ten weeks in which a day of six was closed.
judged as (

    select
        cutoff_date,
        series_name,
        count_if(is_said) > 0 as is_said,
        cast(sum(n_weeks) as double) as n_weeks,
        cast(sum(n_exposed) as double) as n_exposed,
        cast(sum(n_sold_unexposed) as double) as n_sold_unexposed,
        cast(sum(n_changes) as double) as n_changes,
        cast(sum(n_clear_changes) as double) as n_clear_changes,
        sum({{ exact('exposure_moment') }}) as exposure_moment,
        sum({{ exact('sales_moment') }}) as sales_moment,
        sum({{ exact('product_moment') }}) as product_moment

    from week_moments
    group by 1, 2

),

-- The slope squared over its variance is how clearly sales go along.
measured as (

    select
        cutoff_date,
        series_name,
        is_said,
        n_weeks,
        n_exposed,
        n_sold_unexposed,
        n_clear_changes,
        {{ safe_divide('product_moment', 'exposure_moment') }} as slope,
        {{ safe_divide(
            'n_changes * cast(product_moment as double) * cast(product_moment as double)',
            'cast(exposure_moment as double) * cast(sales_moment as double)'
            ~ ' - cast(product_moment as double) * cast(product_moment as double)',
        ) }} as clearness,
        (cast(product_moment as double) + 0.33e0) / (cast(exposure_moment as double) + 0.33e0) as exponent

    from judged

),

-- Without a word of the user it takes much: of a promotion, sales are left when there is none.
candidates as (

    select
        cutoff_date,
        series_name,
        round(least(1.2e0, greatest(0.3e0, exponent)), 1) as exponent,
        row_number() over (
            partition by cutoff_date
            order by is_said desc, clearness desc nulls last, series_name asc
        ) as nth

    from measured
    where
        is_said
        or (
            n_exposed >= 0.8e0 * n_weeks
            and n_sold_unexposed <= 0.1e0 * (n_weeks - n_exposed)
            and n_clear_changes >= 20e0
            and slope >= 0.5e0
            and clearness >= 16e0
        )

),

-- In tenths, so that cutoffs close to each other share what is made of it.
final as (

    select
        cutoff_date,
        series_name,
        exponent,
        series_name || ' ' || cast(cast(round(10e0 * exponent) as integer) as varchar) as exposure_key

    from candidates
    where nth = 1

)

select * from final
