with

raw_loads as (

    select * from {{ source('lake', 'raw_loads') }}

),

retractions as (

    select
        load_id,
        min(retracted_at) as retracted_at

    from {{ source('lake', 'raw_retractions') }}
    group by 1

),

replacements as (

    select
        replaces_load_id,
        max(load_id) as replaced_by_load_id

    from raw_loads
    where replaces_load_id is not null
    group by 1

),

-- A load of before there were deliveries is one by itself.
final as (

    select
        raw_loads.load_id,
        coalesce(raw_loads.delivery_id, raw_loads.load_id) as delivery_id,
        raw_loads.table_name,
        raw_loads.source_file,
        raw_loads.loaded_at,
        raw_loads.n_rows,
        coalesce(raw_loads.n_left_out, 0) as n_left_out,
        raw_loads.first_date,
        raw_loads.last_date,
        raw_loads.sales_sum,
        raw_loads.days_sum,
        raw_loads.rows_digest,
        coalesce(raw_loads.between_deliveries, 'restates') as between_deliveries,
        replacements.replaced_by_load_id,
        retractions.retracted_at,
        retractions.load_id is not null or replacements.replaced_by_load_id is not null as is_retracted

    from raw_loads
    left join retractions on raw_loads.load_id = retractions.load_id
    left join replacements on raw_loads.load_id = replacements.replaces_load_id

)

select * from final
