with

members as (

    select * from {{ ref('blend__members') }}

),

errors as (

    select * from {{ ref('blend__total_errors') }}

),

exponents as (

    select * from {{ ref('blend__exponents') }}

),

forecasts as (

    select * from {{ ref('blend__forecasts') }}

),

levels as (

    select * from {{ ref('blend__levels') }}

),

total_levels as (

    {{ aggregate_levels() }}

),

level_sums as (

    select
        run_id,
        level,
        {{ exact_mean('abs(relative_error)') }} as mean_abs_error

    from errors
    group by 1, 2

),

total_sums as (

    select
        run_id,
        level,
        item_id,
        count(*) as n_errors,
        cast(sum({{ exact('abs(relative_error)') }}) as double) as sum_abs_error

    from errors
    group by 1, 2, 3

),

-- A total with little past is pulled to the others of its level.
total_scales as (

    select
        total_sums.run_id,
        total_sums.level,
        total_sums.item_id,
        (total_sums.sum_abs_error + 8e0 * level_sums.mean_abs_error) / (total_sums.n_errors + 8) as error_scale

    from total_sums
    inner join level_sums
        on
            total_sums.run_id = level_sums.run_id
            and total_sums.level = level_sums.level

),

scaled as (

    select
        errors.run_id,
        errors.level,
        errors.lead_band,
        errors.vintage_cutoff_date,
        errors.relative_error / total_scales.error_scale as scaled_error

    from errors
    inner join total_scales
        on
            errors.run_id = total_scales.run_id
            and errors.level = total_scales.level
            and errors.item_id = total_scales.item_id
    where total_scales.error_scale > 0e0

),

ranked as (

    select
        run_id,
        level,
        lead_band,
        vintage_cutoff_date,
        scaled_error,
        row_number() over (partition by run_id, level, lead_band order by scaled_error) as error_rank,
        count(*) over (partition by run_id, level, lead_band) as n_errors

    from scaled

),

-- With fewer vintages a total's own errors say too little: the chain's are one number a week.
measured as (

    select
        run_id,
        level,
        lead_band,
        {% for column, quantile in quantile_levels() -%}
            max(
                case
                    when error_rank = greatest(1, cast(ceil({{ quantile }} * n_errors) as bigint))
                        then scaled_error
                end
            ) as z_{{ column }},
        {% endfor -%}
        count(distinct vintage_cutoff_date) as n_vintages

    from ranked
    group by 1, 2, 3
    having count(distinct vintage_cutoff_date) >= 4

),

vintage_means as (

    select
        run_id,
        level,
        vintage_cutoff_date,
        power({{ exact_mean('scaled_error') }}, 2) as squared_mean,
        {{ exact_mean('scaled_error * scaled_error') }} as mean_square

    from scaled
    group by 1, 2, 3

),

shocks as (

    select
        run_id,
        level,
        {{ exact_mean('squared_mean') }} / nullif({{ exact_mean('mean_square') }}, 0e0) as shared_part

    from vintage_means
    group by 1, 2

),

lengths as (

    {{ band_lengths('members') }}

),

-- A band that too few vintages have reached takes the one before it, as if it had been seen once.
borrowed as (

    select
        lengths.run_id,
        measured.level,
        lengths.lead_band,
        max(measured.lead_band) as measured_lead_band,
        greatest(1e0, max(
            case
                when measured.lead_band = lengths.lead_band
                    then (4e0 * measured.n_vintages + lengths.n_weeks) / (lengths.n_weeks + 4e0)
            end
        )) as n_independent

    from lengths
    inner join measured
        on
            lengths.run_id = measured.run_id
            and lengths.lead_band >= measured.lead_band
    group by 1, 2, 3

),

-- What all totals of a level miss together in one vintage is missing from few vintages.
bands as (

    select
        borrowed.run_id,
        borrowed.level,
        borrowed.lead_band,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            measured.z_{{ column }} - measured.z_p50 as z_{{ column }},
        {% endfor -%}
        sqrt(1e0 + 2e0 * coalesce(shocks.shared_part, 0e0) / coalesce(borrowed.n_independent, 1e0)) as widening

    from borrowed
    inner join measured
        on
            borrowed.run_id = measured.run_id
            and borrowed.level = measured.level
            and borrowed.measured_lead_band = measured.lead_band
    left join shocks
        on
            borrowed.run_id = shocks.run_id
            and borrowed.level = shocks.level

),

located as (

    select
        forecasts.run_id,
        forecasts.model_id,
        forecasts.cutoff_date,
        forecasts.week_end_date,
        forecasts.horizon_weeks,
        forecasts.mean,
        total_levels.level,
        {{ aggregate_item_id(
            store_at_level('total_levels.level', 'levels.store_id'),
            department_at_level('total_levels.level', 'levels.department_id')
        ) }} as item_id

    from forecasts
    inner join levels
        on
            forecasts.cutoff_date = levels.cutoff_date
            and forecasts.item_id = levels.item_id
    cross join total_levels

),

totals as (

    select
        run_id,
        model_id,
        cutoff_date,
        week_end_date,
        horizon_weeks,
        level,
        item_id,
        cast(sum({{ exact('mean') }}) as double) as mean

    from located
    group by 1, 2, 3, 4, 5, 6, 7

),

joined as (

    select
        totals.*,
        exponents.is_in_units,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            bands.z_{{ column }},
        {% endfor -%}
        bands.widening
        * coalesce(total_scales.error_scale, level_sums.mean_abs_error)
        * power(totals.mean, exponents.exponent - 1e0) as error_scale

    from totals
    inner join exponents on totals.run_id = exponents.run_id
    inner join bands
        on
            totals.run_id = bands.run_id
            and totals.level = bands.level
            and {{ lead_band('totals.horizon_weeks') }} = bands.lead_band
    inner join level_sums
        on
            totals.run_id = level_sums.run_id
            and totals.level = level_sums.level
    left join total_scales
        on
            totals.run_id = total_scales.run_id
            and totals.level = total_scales.level
            and totals.item_id = total_scales.item_id
    where totals.mean > 0e0

),

offsets as (

    select
        run_id,
        level,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        {% for column, level in quantile_levels() if column != 'p50' -%}
            {{ 'least' if level < '0.5e0' else 'greatest' }}(0e0, error_scale * z_{{ column }}) as offset_{{ column }},
        {% endfor -%}
        is_in_units

    from joined

),

-- The series of slow sellers say little of their total: there its own errors are all.
final as (

    select
        run_id,
        level,
        item_id,
        week_end_date,
        model_id,
        cutoff_date,
        horizon_weeks,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            {{ round_significant('offset_' ~ column) }} as offset_{{ column }},
        {% endfor -%}
        case when is_in_units then 1e0 else 0.5e0 end as learned_share

    from offsets

)

select * from final
