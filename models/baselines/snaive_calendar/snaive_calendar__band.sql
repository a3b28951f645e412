with

errors as (

    select * from {{ ref('snaive_calendar__errors') }}

),

scales as (

    select * from {{ ref('snaive_calendar__scales') }}

),

series_counts as (

    select
        cutoff_date,
        count(*) as n_series

    from scales
    group by 1

),

-- Some five thousand series tell the shape of the band as well as all of them.
sampled as (

    select
        scales.*,
        series_counts.n_series

    from scales
    inner join series_counts on scales.cutoff_date = series_counts.cutoff_date
    where
        series_counts.n_series < 10000
        or mod({{ text_number("scales.item_id") }}, cast(floor(series_counts.n_series / 5e3) as bigint)) = 0

),

ranked as (

    select
        errors.cutoff_date,
        errors.lead_band,
        sampled.n_series,
        errors.relative_error / sampled.error_scale as scaled_error,
        row_number() over (
            partition by errors.cutoff_date, errors.lead_band
            order by errors.relative_error / sampled.error_scale
        ) as error_rank,
        count(*) over (partition by errors.cutoff_date, errors.lead_band) as n_errors

    from errors
    inner join sampled
        on
            errors.cutoff_date = sampled.cutoff_date
            and errors.item_id = sampled.item_id

),

-- Quantiles by rank are the same on every engine; the median stays the forecast itself.
measured as (

    select
        cutoff_date,
        lead_band,
        {% for column, level in quantile_levels() if column != 'p50' -%}
            {{ 'least' if level < '0.5e0' else 'greatest' }}(0e0, max(
                case when error_rank = greatest(1, cast(ceil({{ level }} * n_errors) as bigint)) then scaled_error end
            )) as z_{{ column }},
        {% endfor -%}
        count(*) as n_errors

    from ranked
    group by 1, 2
    having count(*) >= least(2000, greatest(100, 5 * max(n_series)))

),

lead_bands as (

    select numbers.lead_band from (values (1), (2), (3), (4)) as numbers (lead_band)

),

-- A band of which too little is known takes the one before it.
borrowed as (

    select
        measured.cutoff_date,
        lead_bands.lead_band,
        max(measured.lead_band) as measured_lead_band

    from lead_bands
    inner join measured on lead_bands.lead_band >= measured.lead_band
    group by 1, 2

),

final as (

    select
        borrowed.cutoff_date,
        {% for column, _ in quantile_levels() if column != 'p50' -%}
            measured.z_{{ column }},
        {% endfor -%}
        borrowed.lead_band

    from borrowed
    inner join measured
        on
            borrowed.cutoff_date = measured.cutoff_date
            and borrowed.measured_lead_band = measured.lead_band

)

select * from final
