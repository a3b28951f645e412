{# A CTE body: the id of the newest settings; in Python lake/settings.py chooses the same. #}
{% macro newest_settings(settings) -%}
    select max(settings_id) as settings_id from {{ settings }}
{%- endmacro %}
