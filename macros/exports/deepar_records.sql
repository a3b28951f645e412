{#
    The statement behind both DeepAR exports.

    treatments: the treatments of exp_series to take, as a list of SQL literals.
    dynamic_feat: the column of exp_store_features to take.
    weeks_ahead: weeks that features reach beyond the target, as an expression over exp_series.
#}
{% macro deepar_records(treatments, dynamic_feat, weeks_ahead) -%}
with

series as (

    select * from {{ ref('exp_series') }}

),

store_features as (

    select * from {{ ref('exp_store_features') }}

),

features as (

    select * from {{ ref('exp_features') }}

),

target_arrays as (

    select * from {{ ref('int_sales__target_arrays') }}

),

feature_arrays as (

    select * from {{ ref('int_features__arrays') }}

),

shares as (

    select * from {{ ref('exp_exposure_shares') }}

),

spine as (

    select * from {{ ref('int_week__spine') }}

),

share_keys as (

    select distinct
        cutoff_date,
        store_id,
        department_id

    from shares

),

share_arrays as (

    select
        share_keys.cutoff_date,
        share_keys.store_id,
        share_keys.department_id,
        array_agg(coalesce(shares.week_share, 1e0) order by spine.week_idx) as week_shares

    from share_keys
    cross join spine
    left join shares
        on
            share_keys.cutoff_date = shares.cutoff_date
            and share_keys.store_id = shares.store_id
            and share_keys.department_id = shares.department_id
            and spine.week_idx = shares.week_idx
    group by 1, 2, 3

),

exported as (

    select * from series
    where treatment in ({{ treatments }})

),

department_features as (

    select
        exported.cutoff_date,
        exported.item_id,
        array_agg(
            {{ array_part(
                'feature_arrays.feature_values',
                'exported.first_week_idx + 1',
                'exported.n_weeks + ' ~ weeks_ahead
            ) }}
            order by features.feature_idx
        ) as dynamic_feat

    from exported
    inner join features
        on
            exported.cutoff_date = features.cutoff_date
            and features.feature_level = 'department'
    inner join feature_arrays
        on
            features.feature_idx = feature_arrays.feature_idx
            and exported.store_id = feature_arrays.store_id
            and exported.department_id = feature_arrays.department_id
    group by 1, 2

),

final as (

    select
        exported.item_id,
        exported.cutoff_date,
        cast(exported.first_week_end_date as varchar) || ' 00:00:00' as series_start,
        -- Sales as of a whole week; what is forecast of it is multiplied again where it lands.
        case
            when share_arrays.store_id is null
                then {{ array_part('target_arrays.target', '1', 'exported.n_weeks') }}
            else {{ whole_week_sales(
                array_part('target_arrays.target', '1', 'exported.n_weeks'),
                array_part('share_arrays.week_shares', 'exported.first_week_idx + 1', 'exported.n_weeks')
            ) }}
        end as target,
        array[exported.store_code, exported.department_code] as cat,
        case
            when department_features.item_id is not null then 'item ' || exported.item_id
            else 'store ' || exported.store_id || ':' || cast(exported.first_week_idx as varchar)
        end as dynamic_feat_key,
        -- Arrays are joined only where a department has its own: a copy for each series costs more than the rest.
        case
            when department_features.item_id is null then store_features.{{ dynamic_feat }}
            else
                coalesce(store_features.{{ dynamic_feat }}, {{ empty_array(array_type('double')) }})
                || department_features.dynamic_feat
        end as dynamic_feat

    from exported
    inner join target_arrays on exported.item_id = target_arrays.item_id
    left join share_arrays
        on
            exported.cutoff_date = share_arrays.cutoff_date
            and exported.store_id = share_arrays.store_id
            and share_arrays.department_id in ('', exported.department_id)
    left join store_features
        on
            exported.cutoff_date = store_features.cutoff_date
            and exported.store_id = store_features.store_id
            and exported.first_week_idx = store_features.first_week_idx
    left join department_features
        on
            exported.cutoff_date = department_features.cutoff_date
            and exported.item_id = department_features.item_id

)

select * from final
{%- endmacro %}
