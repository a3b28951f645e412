with

series as (

    select * from {{ ref('int_sales__series') }}

),

series_by_cutoff as (

    select * from {{ ref('exp_series') }}

),

newest_cutoff as (

    select max(cutoff_date) as cutoff_date from series_by_cutoff

),

newest_treatment as (

    select
        series_by_cutoff.item_id,
        series_by_cutoff.cutoff_date,
        series_by_cutoff.treatment,
        series_by_cutoff.ended_reason,
        series_by_cutoff.last_sold_week_end_date,
        series_by_cutoff.weeks_silent,
        series_by_cutoff.silence_limit_weeks

    from series_by_cutoff
    inner join newest_cutoff on series_by_cutoff.cutoff_date = newest_cutoff.cutoff_date

),

final as (

    select
        series.item_id,
        series.store_id,
        series.department_id,
        series.first_week_end_date,
        series.last_week_end_date,
        series.n_observed,
        newest_treatment.treatment,
        newest_treatment.cutoff_date as treatment_cutoff_date,
        newest_treatment.ended_reason,
        newest_treatment.last_sold_week_end_date,
        newest_treatment.weeks_silent,
        newest_treatment.silence_limit_weeks

    from series
    left join newest_treatment on series.item_id = newest_treatment.item_id

)

select * from final
