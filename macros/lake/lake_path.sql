{# The lake's root, without a slash at its end: a folder in the home, unless SALESCAST_LAKE names another place. #}
{% macro lake_path() -%}
    {{ return(env_var('SALESCAST_LAKE', env_var('SALESCAST_HOME', 'var') ~ '/lake').rstrip('/')) }}
{%- endmacro %}
