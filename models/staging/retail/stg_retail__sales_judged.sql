{{ config(
    materialized='table',
    pre_hook="{{ refuse_empty_source([source('lake', 'raw_sales')]) }}"
) }}

with

raw_sales as (

    select * from {{ source('lake', 'raw_sales') }}

),

loads as (

    select * from {{ ref('stg_retail__loads') }}

),

settings as (

    select * from {{ ref('stg_retail__settings') }}

),

renames as (

    select * from {{ ref('stg_retail__series_renames') }}

),

stores as (

    select * from {{ ref('stg_retail__stores') }}

),

plausible_dates as (

    select
        min(first_date) as first_date,
        max(last_date) as last_date

    from {{ ref('stg_retail__plausible_dates') }}
    where table_name = 'raw_sales'

),

landed_stores as (

    select count(*) as n_stores from stores

),

parsed as (

    select
        raw_sales.load_id,
        raw_sales.loaded_at,
        raw_sales.source_file,
        raw_sales.source_row,
        {{ normalised_key('raw_sales.store') }} as landed_store_id,
        {{ normalised_key('raw_sales.department') }} as landed_department_id,
        raw_sales.date as date_text,
        raw_sales.sales as sales_text,
        raw_sales.is_holiday as is_holiday_text,
        raw_sales.is_stocked_out as is_stocked_out_text,
        raw_sales.line_id,
        raw_sales.unreadable_line,
        {{ to_date('raw_sales.date') }} as label_date,
        {{ to_number('raw_sales.sales') }} as sales,
        {{ to_boolean('raw_sales.is_holiday') }} as is_holiday,
        {{ to_boolean('raw_sales.is_stocked_out') }} as is_stocked_out,
        loads.delivery_id,
        loads.between_deliveries,
        loads.is_retracted

    from raw_sales
    inner join loads on raw_sales.load_id = loads.load_id

),

dated as (

    select
        parsed.*,
        coalesce(renames.store_id, parsed.landed_store_id) as store_id,
        coalesce(renames.department_id, parsed.landed_department_id) as department_id,
        case
            when settings.grain = 'weekly' and settings.week_label = 'start'
                then cast(parsed.label_date + interval '6' day as date)
            else parsed.label_date
        end as sales_date,
        settings.grain,
        settings.week_anchor,
        settings.duplicates = 'sum' as sums_duplicates

    from parsed
    cross join settings
    left join renames
        on
            parsed.landed_store_id = renames.old_store_id
            and coalesce(parsed.landed_department_id, '') = renames.old_department_id

),

typed as (

    select
        dated.load_id,
        dated.loaded_at,
        dated.source_file,
        dated.source_row,
        dated.store_id,
        dated.department_id,
        dated.sales_date,
        {{ week_end('dated.sales_date', 'dated.week_anchor') }} as week_end_date,
        dated.sales,
        dated.is_holiday,
        dated.is_stocked_out,
        dated.line_id,
        dated.delivery_id,
        dated.between_deliveries,
        dated.is_retracted,
        dated.sums_duplicates,
        -- What is optional must not cost a sale: it is told, and the rest of the row counts.
        {{ row_problems({
            'is_holiday_invalid': trimmed('dated.is_holiday_text') ~ " <> '' and dated.is_holiday is null",
            'is_stocked_out_invalid': trimmed('dated.is_stocked_out_text') ~ " <> '' and dated.is_stocked_out is null",
        }) }} as row_problems,
        case
            when dated.unreadable_line is not null then 'line_unreadable'
            when coalesce(dated.store_id, '') = '' then 'store_missing'
            when coalesce(dated.department_id, '') = '' then 'department_missing'
            when dated.date_text is null then 'date_missing'
            when dated.sales_date is null then 'date_invalid'
            when
                dated.sales_date < date '1990-01-01'
                or dated.sales_date > cast(dated.loaded_at as date) + interval '7' day
                then 'date_out_of_range'
            -- One day is left to time zones; anything later would complete a week that is not over.
            when
                dated.grain = 'daily'
                and dated.sales_date > cast(dated.loaded_at as date) + interval '1' day
                then 'date_out_of_range'
            when not dated.label_date between plausible_dates.first_date and plausible_dates.last_date
                then 'date_far_from_the_rest'
            when
                dated.grain = 'weekly'
                and mod(date_diff('day', dated.week_anchor, dated.sales_date), 7) <> 0
                then 'date_is_no_week_label'
            when dated.grain = 'weekly' and dated.sales_date > cast(dated.loaded_at as date) + interval '1' day
                then 'week_is_not_over'
            when dated.sales_text is null then 'sales_missing'
            when dated.sales is null then 'sales_invalid'
            when abs(dated.sales) >= 1e13 then 'sales_out_of_range'
            when landed_stores.n_stores > 0 and stores.store_id is null then 'store_unknown'
        end as reason

    from dated
    cross join landed_stores
    cross join plausible_dates
    left join stores on dated.store_id = stores.store_id

),

{{ judge_rows(
    ['store_id', 'department_id', 'sales_date'],
    sum_duplicates='typed.sums_duplicates',
    line_id='line_id'
) }},

final as (

    select
        load_id,
        loaded_at,
        source_file,
        source_row,
        store_id,
        department_id,
        sales_date,
        week_end_date,
        sales,
        is_holiday,
        is_stocked_out,
        line_id,
        row_problems,
        row_status,
        rejection_reason

    from judged

)

select * from final
