with

members as (

    select * from {{ ref('blend__members') }}

),

vintages as (

    select * from {{ ref('blend__vintages') }}

),

products as (

    select * from {{ ref('blend__products') }}

),

known_members as (

    select
        run_id,
        member_model_id,
        n_known,
        row_number() over (partition by run_id order by member_model_id) as member_rank

    from (
        select distinct
            run_id,
            member_model_id,
            n_known

        from vintages
    ) as distinct_members

),

run_vintages as (

    select distinct
        run_id,
        vintage_cutoff_date,
        cutoff_date

    from vintages

),

vintage_products as (

    select
        run_vintages.run_id,
        run_vintages.vintage_cutoff_date,
        products.lead_band,
        first_member.member_rank as first_rank,
        second_member.member_rank as second_rank,
        {{ exact_mean('products.mean_product') }} as mean_product

    from run_vintages
    inner join products
        on
            run_vintages.vintage_cutoff_date = products.vintage_cutoff_date
            and run_vintages.cutoff_date >= products.week_end_date
    inner join known_members as first_member
        on
            run_vintages.run_id = first_member.run_id
            and products.first_model_id = first_member.member_model_id
    inner join known_members as second_member
        on
            run_vintages.run_id = second_member.run_id
            and products.second_model_id = second_member.member_model_id
    group by 1, 2, 3, 4, 5

),

-- How large the members' errors are, and how much they have in common. Each vintage counts once.
mean_products as (

    select
        run_id,
        lead_band,
        first_rank,
        second_rank,
        count(*) as n_vintages,
        {{ exact_mean('mean_product') }} as mean_product

    from vintage_products
    group by 1, 2, 3, 4

),

-- Errors are told in those of the best member: what holds the weights near equal ones gives way to a much better one.
best_members as (

    select
        run_id,
        lead_band,
        greatest(min(mean_product), 1e-3 * {{ exact_mean('mean_product') }}) as squared_error

    from mean_products
    where first_rank = second_rank
    group by 1, 2
    having min(n_vintages) >= 3

),

tenths as (

    select numbers.n
    from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) as numbers (n)

),

ranks as (

    select numbers.n as member_rank from (values (1), (2), (3), (4), (5)) as numbers (n)

),

-- All weights in steps of a tenth that add up to one, of up to five members.
candidates as (

    select
        n_1.n as tenths_1,
        n_2.n as tenths_2,
        n_3.n as tenths_3,
        n_4.n as tenths_4,
        10 - n_1.n - n_2.n - n_3.n - n_4.n as tenths_5,
        ((n_1.n * 11 + n_2.n) * 11 + n_3.n) * 11 + n_4.n as candidate

    from tenths as n_1
    cross join tenths as n_2
    cross join tenths as n_3
    cross join tenths as n_4
    where n_1.n + n_2.n + n_3.n + n_4.n <= 10

),

candidate_weights as (

    select
        candidates.candidate,
        ranks.member_rank,
        case
            when candidates.tenths_5 > 0 then 5
            when candidates.tenths_4 > 0 then 4
            when candidates.tenths_3 > 0 then 3
            when candidates.tenths_2 > 0 then 2
            else 1
        end as n_members,
        case ranks.member_rank
            when 1 then candidates.tenths_1
            when 2 then candidates.tenths_2
            when 3 then candidates.tenths_3
            when 4 then candidates.tenths_4
            else candidates.tenths_5
        end / 1e1 as weight

    from candidates
    cross join ranks

),

-- The expected squared error of each, and what keeps the weights near equal ones.
spreads as (

    select
        best_members.run_id,
        best_members.lead_band,
        first_weights.candidate,
        cast(sum({{ exact(
            'case when mean_products.first_rank = mean_products.second_rank then 1e0 else 2e0 end'
            ' * first_weights.weight * second_weights.weight * mean_products.mean_product / best_members.squared_error'
        ) }}) as double) as squared_error

    from best_members
    inner join mean_products
        on
            best_members.run_id = mean_products.run_id
            and best_members.lead_band = mean_products.lead_band
    inner join candidate_weights as first_weights on mean_products.first_rank = first_weights.member_rank
    inner join candidate_weights as second_weights
        on
            mean_products.second_rank = second_weights.member_rank
            and first_weights.candidate = second_weights.candidate
    where best_members.squared_error > 0e0
    group by 1, 2, 3

),

run_sizes as (

    select distinct
        run_id,
        n_known

    from known_members

),

penalties as (

    select
        run_sizes.run_id,
        run_sizes.n_known,
        candidate_weights.candidate,
        sum(
            case
                when candidate_weights.member_rank <= run_sizes.n_known
                    then power(candidate_weights.weight - 1e0 / run_sizes.n_known, 2)
            end
        ) as distance_from_equal

    from run_sizes
    inner join candidate_weights on run_sizes.n_known >= candidate_weights.n_members
    group by 1, 2, 3

),

ranked as (

    select
        spreads.run_id,
        spreads.lead_band,
        spreads.candidate,
        row_number() over (
            partition by spreads.run_id, spreads.lead_band
            order by
                round(spreads.squared_error + 0.3e0 * penalties.distance_from_equal, 9) asc,
                round(penalties.distance_from_equal, 9) asc,
                spreads.candidate asc
        ) as best_rank

    from spreads
    inner join penalties
        on
            spreads.run_id = penalties.run_id
            and spreads.candidate = penalties.candidate

),

learned as (

    select
        ranked.run_id,
        ranked.lead_band,
        known_members.member_model_id,
        known_members.n_known,
        candidate_weights.weight

    from ranked
    inner join known_members on ranked.run_id = known_members.run_id
    inner join candidate_weights
        on
            ranked.candidate = candidate_weights.candidate
            and known_members.member_rank = candidate_weights.member_rank
    where ranked.best_rank = 1

),

lead_bands as (

    select numbers.lead_band from (values (1), (2), (3), (4)) as numbers (lead_band)

),

-- Without three vintages of the leads the weights are equal; who has no past yet takes an equal share.
final as (

    select
        members.run_id,
        lead_bands.lead_band,
        members.member_model_id,
        case
            when learned.weight is null then 1e0 / members.n_members
            else learned.weight * learned.n_known / members.n_members
        end as weight,
        learned.weight is not null as is_learned

    from members
    cross join lead_bands
    left join learned
        on
            members.run_id = learned.run_id
            and members.member_model_id = learned.member_model_id
            and lead_bands.lead_band = learned.lead_band

)

select * from final
