{# The lake's root: a folder in the home, unless SALESCAST_LAKE names another place. #}
{% macro lake_path() -%}
    {{ return(env_var('SALESCAST_LAKE', env_var('SALESCAST_HOME', 'var') ~ '/lake')) }}
{%- endmacro %}
