with

errors as (

    select * from {{ ref('blend__errors') }}

),

scales as (

    select * from {{ ref('blend__scales') }}

),

members as (

    select * from {{ ref('blend__members') }}

),

scaled as (

    select
        errors.run_id,
        errors.vintage_cutoff_date,
        errors.lead_band,
        errors.department_id,
        errors.item_id,
        errors.relative_error / scales.error_scale as scaled_error,
        errors.member_relative_error / scales.error_scale as member_scaled_error

    from errors
    inner join scales
        on
            errors.run_id = scales.run_id
            and errors.item_id = scales.item_id
    where errors.is_sampled and scales.error_scale > 0e0

),

ranked as (

    select
        run_id,
        lead_band,
        scaled_error,
        member_scaled_error,
        row_number() over (partition by run_id, lead_band order by scaled_error) as error_rank,
        count(*) over (partition by run_id, lead_band) as n_errors

    from scaled

),

sampled_series as (

    select
        run_id,
        count(distinct item_id) as n_series

    from scaled
    group by 1

),

-- Quantiles by rank are the same on every engine.
measured as (

    select
        ranked.run_id,
        ranked.lead_band,
        {% for column, level in quantile_levels() -%}
            max(
                case
                    when
                        ranked.error_rank = greatest(1, cast(ceil({{ level }} * ranked.n_errors) as bigint))
                        then ranked.scaled_error
                end
            ) as z_{{ column }},
        {% endfor -%}
        -- Members miss by more than their mean does, and their bands are as wide as they miss.
        least(
            1e0,
            coalesce(
                {{ exact_mean('abs(ranked.scaled_error)') }}
                / nullif({{ exact_mean('ranked.member_scaled_error') }}, 0e0),
                1e0
            )
        ) as narrowing,
        count(*) as n_errors

    from ranked
    inner join sampled_series on ranked.run_id = sampled_series.run_id
    group by 1, 2
    having count(*) >= least(2000, greatest(100, 5 * max(sampled_series.n_series)))

),

-- What the series of a department share in one vintage does not average out: it is missing from few vintages.
department_means as (

    select
        run_id,
        vintage_cutoff_date,
        department_id,
        power({{ exact_mean('scaled_error') }}, 2) as squared_mean,
        {{ exact_mean('scaled_error * scaled_error') }} as mean_square

    from scaled
    group by 1, 2, 3

),

shocks as (

    select
        run_id,
        {{ exact_mean('squared_mean') }} / nullif({{ exact_mean('mean_square') }}, 0e0) as shared_part

    from department_means
    group by 1

),

band_vintages as (

    select
        run_id,
        lead_band,
        count(distinct vintage_cutoff_date) as n_vintages

    from scaled
    group by 1, 2

),

lengths as (

    {{ band_lengths('members') }}

),

-- A band of which too little is known takes the one before it, as if it had been seen once.
borrowed as (

    select
        lengths.run_id,
        lengths.lead_band,
        max(measured.lead_band) as measured_lead_band,
        greatest(1e0, max(
            (4e0 * coalesce(band_vintages.n_vintages, 0) + lengths.n_weeks) / (lengths.n_weeks + 4e0)
        )) as n_independent

    from lengths
    inner join measured
        on
            lengths.run_id = measured.run_id
            and lengths.lead_band >= measured.lead_band
    left join band_vintages
        on
            lengths.run_id = band_vintages.run_id
            and lengths.lead_band = band_vintages.lead_band
    group by 1, 2

),

widened as (

    select
        borrowed.run_id,
        borrowed.lead_band,
        borrowed.measured_lead_band,
        sqrt(1e0 + 2e0 * coalesce(shocks.shared_part, 0e0) / borrowed.n_independent) as widening

    from borrowed
    left join shocks on borrowed.run_id = shocks.run_id

),

totals as (

    select
        run_id,
        count(distinct vintage_cutoff_date) as n_vintages

    from scaled
    group by 1

),

final as (

    select
        widened.run_id,
        widened.lead_band,
        totals.n_vintages,
        {% for column, level in quantile_levels() if column != 'p50' -%}
            {{ 'least' if level < '0.5e0' else 'greatest' }}(
                0e0, widened.widening * (measured.z_{{ column }} - measured.z_p50)
            ) as z_{{ column }},
        {% endfor -%}
        widened.widening,
        case when totals.n_vintages >= 3 then measured.narrowing else 1e0 end as narrowing

    from widened
    inner join measured
        on
            widened.run_id = measured.run_id
            and widened.measured_lead_band = measured.lead_band
    inner join totals on widened.run_id = totals.run_id

)

select * from final
