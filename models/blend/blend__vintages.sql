with

members as (

    select * from {{ ref('blend__members') }}

),

runs as (

    select * from {{ ref('stg_forecasts__runs') }}

),

withdrawals as (

    select * from {{ ref('stg_forecasts__withdrawals') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

-- Of a model's runs of one cutoff the longest counts, of these one that was no backtest, of these the newest.
ranked_runs as (

    select
        runs.run_id,
        runs.model_id,
        runs.cutoff_date,
        spine.week_idx,
        row_number() over (
            partition by runs.model_id, runs.cutoff_date
            order by
                runs.prediction_length desc,
                case when runs.requested_kind = 'backtest' then 1 else 0 end asc,
                runs.landed_at desc,
                runs.run_id desc
        ) as newest_rank

    from runs
    inner join spine on runs.cutoff_date = spine.week_end_date
    left join withdrawals on runs.run_id = withdrawals.run_id
    where withdrawals.run_id is null

),

-- Four weeks are a block: neighbours in it share most of their errors.
past_runs as (

    select
        members.run_id,
        members.member_model_id,
        members.cutoff_date,
        members.cutoff_week_idx,
        ranked_runs.run_id as member_run_id,
        ranked_runs.cutoff_date as vintage_cutoff_date,
        ranked_runs.week_idx as vintage_week_idx,
        cast(ceil((members.cutoff_week_idx - ranked_runs.week_idx) / 4e0) as integer) as block

    from members
    inner join ranked_runs
        on
            members.member_model_id = ranked_runs.model_id
            and members.cutoff_week_idx > ranked_runs.week_idx
            and members.cutoff_week_idx <= ranked_runs.week_idx + {{ var('blend_vintage_weeks') }}
    where ranked_runs.newest_rank = 1

),

block_counts as (

    select
        run_id,
        member_model_id,
        count(distinct block) as n_blocks

    from past_runs
    group by 1, 2

),

longest_pasts as (

    select
        run_id,
        max(n_blocks) as max_n_blocks

    from block_counts
    group by 1

),

-- A member is judged once it has half of the longest past: waiting for it would leave little to learn from.
known_members as (

    select
        block_counts.run_id,
        block_counts.member_model_id,
        count(*) over (partition by block_counts.run_id) as n_known

    from block_counts
    inner join longest_pasts on block_counts.run_id = longest_pasts.run_id
    where 2 * block_counts.n_blocks >= longest_pasts.max_n_blocks

),

-- They are compared where all of them have forecast.
shared_runs as (

    select
        past_runs.*,
        known_members.n_known,
        count(*) over (partition by past_runs.run_id, past_runs.vintage_cutoff_date) as n_at_cutoff

    from past_runs
    inner join known_members
        on
            past_runs.run_id = known_members.run_id
            and past_runs.member_model_id = known_members.member_model_id

),

-- The earliest of a block knows the most leads.
first_cutoffs as (

    select
        run_id,
        block,
        min(vintage_cutoff_date) as vintage_cutoff_date

    from shared_runs
    where n_at_cutoff = n_known
    group by 1, 2

),

final as (

    select
        shared_runs.run_id,
        shared_runs.member_model_id,
        shared_runs.vintage_cutoff_date,
        shared_runs.vintage_week_idx,
        shared_runs.member_run_id,
        shared_runs.cutoff_date,
        shared_runs.cutoff_week_idx,
        cast(shared_runs.n_known as integer) as n_known

    from shared_runs
    inner join first_cutoffs
        on
            shared_runs.run_id = first_cutoffs.run_id
            and shared_runs.vintage_cutoff_date = first_cutoffs.vintage_cutoff_date

)

select * from final
