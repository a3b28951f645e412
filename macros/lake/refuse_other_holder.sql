{#
    Stops a command that writes while somebody else holds the lock of the lake.

    On DuckDB the warehouse file itself is locked. On S3 the lock is an object
    with an owner and a heartbeat; a heartbeat older than ten minutes is that of
    a holder who died. A command that salescast starts knows its own lock by
    SALESCAST_LOCK_TOKEN.
#}
{% macro refuse_other_holder(node, move) -%}
    {{ return(adapter.dispatch('refuse_other_holder', 'salescast')(node, move)) }}
{%- endmacro %}

{% macro default__refuse_other_holder(node, move) -%}
    {{ exceptions.raise_compiler_error("refuse_other_holder has no implementation for adapter " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__refuse_other_holder(node, move) -%}
{%- endmacro %}

{% macro athena__refuse_other_holder(node, move) -%}
    {%- if flags.WHICH not in ['test', 'show'] -%}
        {%- set columns = ['owner', 'command', 'host', 'pid', 'since', 'heartbeat_at'] -%}
        {%- set types = [] -%}
        {%- for column in columns -%}
            {%- do types.append((column, 'string')) -%}
        {%- endfor -%}
        {%- set table = ensure_external_table(
            node, 'lock', types, "row format serde 'org.openx.data.jsonserde.JsonSerDe'", move
        ) -%}
        {%- set oldest = modules.datetime.datetime.now(modules.pytz.utc) - modules.datetime.timedelta(minutes=10) -%}
        {%- set token = env_var('SALESCAST_LOCK_TOKEN', '') | replace("'", "''") -%}
        {%- set holders = run_query(
            'select ' ~ columns | join(', ') ~ ' from ' ~ table
            ~ " where heartbeat_at >= '" ~ oldest.strftime('%Y-%m-%d %H:%M:%S') ~ "' and owner <> '" ~ token ~ "'"
        ) -%}
        {%- for holder in holders.rows -%}
            {{ exceptions.raise_compiler_error(
                'Another command is at work on this lake: ' ~ holder['command'] ~ ' (process ' ~ holder['pid'] ~ ' on '
                ~ holder['host'] ~ ', since ' ~ holder['since'] ~ ', last sign of life ' ~ holder['heartbeat_at']
                ~ ' UTC). Wait until it has ended. If it died, its lock counts for ten minutes more; the '
                ~ '--take-lock of salescast commands breaks it.'
            ) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
