with

cutoffs as (

    select * from {{ ref('exp_cutoffs') }}

),

sales_filled as (

    select * from {{ ref('int_sales__filled') }}

),

silences as (

    select * from {{ ref('int_sales__silences') }}

),

statements as (

    select * from {{ ref('exp_statements') }}

),

-- Only weeks up to the cutoff count: what came later is unknown to every column here.
seen as (

    select
        cutoffs.cutoff_date,
        cutoffs.cutoff_week_idx,
        cutoffs.horizon_weeks,
        sales_filled.item_id,
        min(sales_filled.store_id) as store_id,
        min(sales_filled.department_id) as department_id,
        min(sales_filled.week_idx) as first_week_idx,
        min(sales_filled.week_end_date) as first_week_end_date,
        max(case when sales_filled.is_observed then sales_filled.week_end_date end) as last_week_end_date,
        max(case when sales_filled.is_sold then sales_filled.week_end_date end) as last_sold_week_end_date,
        max(case when sales_filled.is_sold then sales_filled.week_idx end) as last_sold_week_idx,
        min(case when sales_filled.is_sold then sales_filled.week_idx end) as first_sold_week_idx,
        cast(count(*) as integer) as n_weeks,
        cast(count_if(sales_filled.is_observed) as integer) as n_observed,
        coalesce(max(abs(sales_filled.sales)), 0e0) as max_abs_sales

    from sales_filled
    inner join cutoffs on sales_filled.week_idx <= cutoffs.cutoff_week_idx
    group by 1, 2, 3, 4

),

longest_silences as (

    select
        cutoffs.cutoff_date,
        silences.item_id,
        max(silences.next_sold_week_idx - silences.last_sold_week_idx - 1) as longest_silence_weeks

    from silences
    inner join cutoffs on silences.next_sold_week_idx <= cutoffs.cutoff_week_idx
    group by 1, 2

),

-- A series that had sold for less than half a year when it fell silent may wait for its season. Of such silences that
-- are old enough at the cutoff: how many ended within a year?
young_silences as (

    select
        cutoffs.cutoff_date,
        count(*) as n_young,
        count_if(silences.next_sold_week_idx - silences.last_sold_week_idx - 1 <= {{ var('season_weeks') }} + 4)
            as n_back

    from silences
    inner join cutoffs
        on silences.last_sold_week_idx + {{ var('season_weeks') }} + 4 < cutoffs.cutoff_week_idx
    where
        2 * (silences.last_sold_week_idx - silences.first_sold_week_idx) < {{ var('season_weeks') }}
        and {{ silence_limit('silences.longest_before_weeks') }} < {{ var('season_weeks') }} + 4
        and (
            silences.next_sold_week_idx is null
            or silences.next_sold_week_idx - silences.last_sold_week_idx - 1
            > {{ silence_limit('silences.longest_before_weeks') }}
        )
    group by 1

),

-- Closed means so for all weeks ahead; who opens again by then has not ended.
judged_statements as (

    select
        seen.cutoff_date,
        seen.item_id,
        statements.closed_on,
        statements.is_still_sold,
        statements.closed_on <= seen.cutoff_date
        and {{ is_closed(
            "cast(seen.cutoff_date + interval '1' day as date)",
            add_weeks('seen.cutoff_date', 'seen.horizon_weeks'),
            'statements.opened_on',
            'statements.closed_on',
        ) }} as is_closed,
        coalesce(statements.opened_on > statements.closed_on and statements.opened_on <= seen.cutoff_date, false)
            as is_open_again,
        case
            when statements.opened_on > seen.last_sold_week_end_date
                then cast(floor((date_diff('day', statements.opened_on, seen.cutoff_date) + 1) / 7e0) as integer)
        end as weeks_since_opened

    from seen
    inner join statements
        on
            seen.cutoff_date = statements.cutoff_date
            and seen.item_id = statements.item_id

),

stated as (

    select
        cutoff_date,
        item_id,
        count_if(is_closed) > 0 as is_closed,
        coalesce(
            min(case when is_closed then closed_on end),
            min(case when not is_open_again then closed_on end)
        ) as closed_on,
        min(weeks_since_opened) as weeks_since_opened,
        count_if(is_still_sold) > 0 as is_still_sold

    from judged_statements
    group by 1, 2

),

measured as (

    select
        seen.*,
        seen.cutoff_week_idx - seen.last_sold_week_idx as weeks_silent,
        case
            when stated.weeks_since_opened is null then seen.cutoff_week_idx - seen.last_sold_week_idx
            else greatest(0, least(stated.weeks_since_opened, seen.cutoff_week_idx - seen.last_sold_week_idx))
        end as weeks_silent_open,
        coalesce(longest_silences.longest_silence_weeks, 0) as longest_silence_weeks,
        -- A few such silences tell nothing; then the series is kept.
        2 * (seen.last_sold_week_idx - seen.first_sold_week_idx) < {{ var('season_weeks') }}
        and (coalesce(young_silences.n_young, 0) < 20 or 5 * young_silences.n_back >= young_silences.n_young)
            as may_wait_for_season,
        stated.closed_on,
        coalesce(stated.is_closed, false) as is_closed,
        coalesce(stated.is_still_sold, false) as is_still_sold

    from seen
    left join longest_silences
        on
            seen.cutoff_date = longest_silences.cutoff_date
            and seen.item_id = longest_silences.item_id
    left join young_silences on seen.cutoff_date = young_silences.cutoff_date
    left join stated
        on
            seen.cutoff_date = stated.cutoff_date
            and seen.item_id = stated.item_id

),

limited as (

    select
        measured.*,
        case
            when measured.may_wait_for_season then {{ var('season_weeks') }} + 4
            else {{ silence_limit('measured.longest_silence_weeks') }}
        end as silence_limit_weeks

    from measured

),

-- A day on which the user says that it closed comes before all, and a word that it is still sold before the rule.
reasoned as (

    select
        limited.*,
        case
            when limited.is_closed then 'closed_on'
            when limited.is_still_sold then cast(null as varchar)
            when limited.weeks_silent_open > limited.silence_limit_weeks then 'silent_for_its_rhythm'
        end as ended_reason,
        limited.n_weeks >= limited.horizon_weeks and limited.max_abs_sales > 0e0 as is_long_enough

    from limited

),

store_codes as (

    select
        cutoff_date,
        store_id,
        cast(row_number() over (
            partition by cutoff_date order by min(first_week_idx), store_id
        ) - 1 as integer) as store_code

    from reasoned
    where is_long_enough and ended_reason is null
    group by 1, 2

),

department_codes as (

    select
        cutoff_date,
        department_id,
        cast(row_number() over (
            partition by cutoff_date order by min(first_week_idx), department_id
        ) - 1 as integer) as department_code

    from reasoned
    where is_long_enough and ended_reason is null
    group by 1, 2

),

final as (

    select
        reasoned.cutoff_date,
        reasoned.item_id,
        reasoned.store_id,
        reasoned.department_id,
        reasoned.cutoff_week_idx,
        reasoned.horizon_weeks,
        reasoned.first_week_idx,
        reasoned.first_week_end_date,
        reasoned.last_week_end_date,
        reasoned.n_weeks,
        reasoned.n_observed,
        reasoned.last_sold_week_end_date,
        reasoned.weeks_silent,
        reasoned.weeks_silent_open,
        reasoned.longest_silence_weeks,
        reasoned.silence_limit_weeks,
        reasoned.closed_on,
        reasoned.ended_reason,
        case
            when reasoned.ended_reason is not null then 'ended'
            when reasoned.is_long_enough then 'trained'
            when
                reasoned.max_abs_sales > 0e0
                and store_codes.store_code is not null
                and department_codes.department_code is not null
                then 'inferred'
            else 'fallback'
        end as treatment,
        store_codes.store_code,
        department_codes.department_code

    from reasoned
    left join store_codes
        on
            reasoned.cutoff_date = store_codes.cutoff_date
            and reasoned.store_id = store_codes.store_id
    left join department_codes
        on
            reasoned.cutoff_date = department_codes.cutoff_date
            and reasoned.department_id = department_codes.department_id

)

select * from final
