with

past as (

    select * from {{ ref('blend__past') }}

),

vintage_sums as (

    select
        run_id,
        lead_band,
        vintage_cutoff_date,
        count(distinct week_end_date) as n_weeks,
        cast(sum({{ exact('actual') }}) as double) as actual,
        cast(sum({{ exact('mean') }}) as double) as mean

    from past
    group by 1, 2, 3

),

biases as (

    select
        run_id,
        lead_band,
        n_weeks,
        round(ln(actual / mean), 9) as bias

    from vintage_sums
    where n_weeks >= 3 and actual > 0e0 and mean > 0e0

),

sums as (

    select
        run_id,
        lead_band,
        count(*) as n_vintages,
        max(n_weeks) as n_band_weeks,
        {{ exact_mean('bias') }} as mean_bias,
        cast(sum({{ exact('bias * bias') }}) as double) as sum_square

    from biases
    group by 1, 2
    having count(*) >= 3

),

-- Overlapping vintages are fewer than they look; a bias is believed as far as it stands out from their scatter.
uncertain as (

    select
        run_id,
        lead_band,
        n_vintages,
        mean_bias,
        (greatest(0e0, (sum_square - n_vintages * mean_bias * mean_bias) / (n_vintages - 1)) + 4e-4)
        / greatest(1e0, 4e0 * n_vintages / (n_band_weeks + 4e0)) as squared_error

    from sums

),

final as (

    select
        run_id,
        lead_band,
        n_vintages,
        mean_bias,
        case
            when mean_bias = 0e0 then 0e0
            else round(mean_bias * greatest(0e0, 1e0 - squared_error / (mean_bias * mean_bias)), 9) + 0e0
        end as log_correction

    from uncertain

)

select * from final
