with

evidence as (

    select * from {{ ref('snaive_calendar__evidence') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

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
