{#
    Weeks without a sale that its own rhythm explains; a series that is silent for longer has ended.

    A quarter of a year, and half as long again as its longest silence so far, at most a quarter longer than that. A
    whole season and four weeks, by which feasts move, are too long for any rhythm. How the numbers were found:
    docs/decisions/0020-series-that-are-gone.md.
#}
{% macro silence_limit(longest_silence) -%}
    least(
        {{ var('season_weeks') }} + 4,
        greatest(
            {{ var('least_silence_weeks') }},
            least(
                cast(ceil(1.5e0 * {{ longest_silence }}) as integer),
                {{ longest_silence }} + {{ var('least_silence_weeks') }}
            )
        )
    )
{%- endmacro %}
