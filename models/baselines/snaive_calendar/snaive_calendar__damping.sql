with

base as (

    select * from {{ ref('snaive_calendar__base') }}
    where seasons_back = 1

),

growth as (

    select * from {{ ref('snaive_calendar__growth') }}
    where seasons_back = 1

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

-- What followed each origin by the cutoff. Up to 39 weeks ahead the base is the same at every later origin.
followed_weeks as (

    select
        origins.cutoff_date,
        origins.origin_week_idx,
        spine.week_idx,
        {{ lead_band('spine.week_idx - origins.origin_week_idx') }} as lead_band,
        power(0.9e0, spine.week_idx - origins.origin_week_idx) as fading

    from origins
    inner join spine
        on
            origins.origin_week_idx < spine.week_idx
            and origins.cutoff_week_idx >= spine.week_idx
            and origins.origin_week_idx + 39 >= spine.week_idx
    where origins.is_backtest

),

-- Origins four weeks apart share most of a longer band: together they are not so much evidence.
followed_bands as (

    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        {{ safe_divide('sum(' ~ exact('fading') ~ ')', 'count(*)') }} as fading,
        least(1e0, 4e0 / cast(count(*) as double)) as origin_weight

    from followed_weeks
    group by 1, 2, 3

),

series_sums as (

    select
        followed_weeks.cutoff_date,
        followed_weeks.origin_week_idx,
        followed_weeks.lead_band,
        base.item_id,
        min(base.store_id) as store_id,
        min(base.department_id) as department_id,
        sum({{ exact('base.sales') }}) as sales,
        sum({{ exact('base.base_sales') }}) as base_sales

    from base
    inner join followed_weeks on base.week_idx = followed_weeks.week_idx
    where base.sales is not null and base.is_reported
    group by 1, 2, 3, 4

),

{{ growth_parts(keys=['cutoff_date', 'origin_week_idx', 'lead_band']) }},

-- The same parts as of the growth, as they came.
realised as (

    {% for level, level_id in growth_levels() -%}
        select
            cutoff_date,
            origin_week_idx,
            lead_band,
            '{{ level }}' as level,
            {{ level_id }} as level_id,
            max({{ level }}_part) as realised_growth,
            cast(sum(base_sales) as double) as base_sales

        from growth_parts
        where base_sales > 0
        group by 1, 2, 3, 4, 5
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (

    select
        realised.cutoff_date,
        realised.origin_week_idx,
        realised.lead_band,
        realised.level,
        realised.realised_growth,
        followed_bands.origin_weight,
        realised.base_sales,
        {{ expected_growth('growth', 'followed_bands.fading') }} as expected_growth

    from realised
    inner join growth
        on
            realised.origin_week_idx = growth.origin_week_idx
            and realised.level = growth.level
            and realised.level_id = growth.level_id
    inner join followed_bands
        on
            realised.cutoff_date = followed_bands.cutoff_date
            and realised.origin_week_idx = followed_bands.origin_week_idx
            and realised.lead_band = followed_bands.lead_band
    where growth.short_growth is not null and growth.long_growth is not null

),

origin_evidence as (

    select
        cutoff_date,
        origin_week_idx,
        lead_band,
        level,
        min(origin_weight) as origin_weight,
        {{ safe_divide(
            'sum(' ~ exact('base_sales * expected_growth * realised_growth') ~ ')', 'sum(' ~ exact('base_sales') ~ ')'
        ) }} as mean_product,
        {{ safe_divide(
            'sum(' ~ exact('base_sales * expected_growth * expected_growth') ~ ')', 'sum(' ~ exact('base_sales') ~ ')'
        ) }} as mean_square

    from compared
    group by 1, 2, 3, 4

),

evidence as (

    select
        cutoff_date,
        level,
        lead_band,
        cast(sum({{ exact('origin_weight * mean_product') }}) as double) as sum_product,
        cast(sum({{ exact('origin_weight * mean_square') }}) as double) as sum_square,
        {{ safe_divide('sum(' ~ exact('mean_square') ~ ')', 'count(*)') }} as mean_square

    from origin_evidence
    group by 1, 2, 3

),

prior_weights as (

    select
        numbers.level,
        numbers.prior_weight

    from (
        values ('chain', 24e0), ('store', 12e0), ('department', 12e0), ('series', 6e0)
    ) as numbers (level, prior_weight)

),

cutoffs as (

    select distinct cutoff_date from origins

),

damped_0 as (

    select
        cutoffs.cutoff_date,
        prior_weights.level,
        prior_weights.prior_weight,
        1e0 as multiplier

    from cutoffs
    cross join prior_weights

),

-- How much of the expected growth came, by least squares, pulled towards what the shorter leads say.
{% for _ in lead_bands() -%}
    damped_{{ loop.index }} as (

        select
            shorter.cutoff_date,
            shorter.level,
            shorter.prior_weight,
            case
                when evidence.mean_square > 0e0
                    then
                        greatest(0e0, least(
                            1.6e0,
                            (evidence.sum_product + shorter.prior_weight * evidence.mean_square * shorter.multiplier)
                            / (evidence.sum_square + shorter.prior_weight * evidence.mean_square)
                        ))
                else shorter.multiplier
            end as multiplier

        from damped_{{ loop.index0 }} as shorter
        left join evidence
            on
                shorter.cutoff_date = evidence.cutoff_date
                and shorter.level = evidence.level
                and evidence.lead_band = {{ loop.index }}

    ),

{% endfor -%}

all_bands as (

    {% for _ in lead_bands() -%}
        select
            cutoff_date,
            level,
            {{ loop.index }} as lead_band,
            multiplier

        from damped_{{ loop.index }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (

    select
        cutoff_date,
        level,
        lead_band,
        round(multiplier, 9) as multiplier

    from all_bands

)

select * from final
