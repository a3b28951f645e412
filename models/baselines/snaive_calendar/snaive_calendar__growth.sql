{%- set windows = [('short', 6, '0.6e0'), ('long', 13, '0.5e0')] -%}

with

base as (

    select * from {{ ref('snaive_calendar__base') }}

),

origins as (

    select * from {{ ref('snaive_calendar__origins') }}

),

origin_weeks as (

    select distinct origin_week_idx from origins

),

series_sums as (

    select
        origin_weeks.origin_week_idx,
        base.seasons_back,
        base.item_id,
        base.store_id,
        base.department_id,
        {% for window, n_weeks, _ in windows -%}
            {%- for measure in ['sales', 'base_sales'] -%}
                sum(case
                    when base.week_idx > origin_weeks.origin_week_idx - {{ n_weeks }}
                        then {{ exact('base.' ~ measure) }}
                end) as {{ window }}_{{ measure }}
                {{- ',\n        ' if not (loop.last and window == 'long') }}
            {%- endfor -%}
        {%- endfor %}

    from base
    inner join origin_weeks
        on
            base.week_idx > origin_weeks.origin_week_idx - 13
            and base.week_idx <= origin_weeks.origin_week_idx
    where base.sales is not null and base.is_reported
    group by 1, 2, 3, 4, 5

),

ratios as (

    select
        origin_week_idx,
        seasons_back,
        item_id,
        store_id,
        department_id,
        {% for window, _, _ in windows -%}
            {%- for name, keys in [
                ('chain', ''), ('store', ', store_id'), ('department', ', department_id'), ('series', ', item_id')
            ] -%}
                {%- set over = ' over (partition by origin_week_idx, seasons_back' ~ keys ~ ')' -%}
                case
                    when sum({{ window }}_base_sales){{ over }} > 0
                        then
                            cast(sum({{ window }}_sales){{ over }} as double)
                            / cast(sum({{ window }}_base_sales){{ over }} as double)
                end as {{ window }}_{{ name }}
                {{- ',\n        ' if not (loop.last and window == 'long') }}
            {%- endfor -%}
        {%- endfor %}

    from series_sums

),

chain_parts as (

    select
        *,
        {% for window, _, _ in windows -%}
            {{ log_ratio(window ~ '_chain', '0.2e0', '4e0') }} as {{ window }}_chain_part
            {{- ',\n        ' if not loop.last }}
        {%- endfor %}

    from ratios

),

-- Stores count in full, departments by half: their growth is the less lasting of the two.
group_parts as (

    select
        *,
        {% for window, _, _ in windows -%}
            {{ log_ratio(window ~ '_store / exp(' ~ window ~ '_chain_part)', '0.5e0', '2e0') }} as {{ window }}_store_part,
            0.5e0 * {{ log_ratio(window ~ '_department / exp(' ~ window ~ '_chain_part)', '0.4e0', '2.5e0') }}
                as {{ window }}_department_part
            {{- ',\n        ' if not loop.last }}
        {%- endfor %}

    from chain_parts

),

-- What a series has grown beyond its chain, store and department.
series_parts as (

    select
        *,
        {% for window, _, weight in windows -%}
            {{ weight }} * case
                when {{ window }}_series is null then 0e0
                else
                    {{ log_ratio(window ~ '_series', '0.2e0', '4e0') }}
                    - {{ window }}_chain_part - {{ window }}_store_part - {{ window }}_department_part
            end as {{ window }}_series_part
            {{- ',\n        ' if not loop.last }}
        {%- endfor %}

    from group_parts

),

-- Logarithms end in other digits on other engines.
final as (

    {% for level, level_id in [
        ('chain', "''"), ('store', 'store_id'), ('department', 'department_id'), ('series', 'item_id')
    ] -%}
    select
        origin_week_idx,
        seasons_back,
        '{{ level }}' as level,
        {{ level_id }} as level_id,
        round(max(short_{{ level }}_part), 9) as short_growth,
        round(max(long_{{ level }}_part), 9) as long_growth

    from series_parts
    group by 1, 2, 3, 4
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
