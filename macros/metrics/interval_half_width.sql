{#
    Half of the 90 % interval of a mean over cutoffs, from columns n_, n_blocks_, mean_ and sum_square_ of its name.

    Cutoffs overlap: as many are independent as fit side by side into the lead band. Null below four cutoffs,
    and for a model against itself.
#}
{% macro interval_half_width(name) -%}
    case
        when n_{{ name }} >= 4 and sum_square_{{ name }} > 0e0
            then
                1.645e0 * sqrt((
                    greatest(0e0, sum_square_{{ name }} - n_{{ name }} * mean_{{ name }} * mean_{{ name }})
                    / (n_{{ name }} - 1) + 1e-4
                ) / greatest(1e0, 4e0 * n_blocks_{{ name }} / (n_band_weeks + 4e0)))
    end
{%- endmacro %}
