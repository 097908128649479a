-- Who is calling, for policies: functions over the claims that the Data API sets. What is there already stays as it is.
do $install$
declare
    claims constant text := 'nullif(pg_catalog.current_setting(''request.jwt.claims'', true), '''')::pg_catalog.jsonb';
    uuid constant text := '''^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$''';
    wanted record;
begin
    if to_regnamespace('auth') is null then
        if not has_database_privilege(current_database(), 'create') then
            return;
        end if;
        create schema auth;
        -- They tell callers what callers said themselves.
        grant usage on schema auth to public;
    elsif not (has_schema_privilege('auth', 'create') and has_schema_privilege('auth', 'usage')) then
        return;
    end if;
    for wanted in
        select f.name, f.kind, f.body, f.about from (values
            ('jwt', 'pg_catalog.jsonb', claims, 'the claims of the caller''s token'),
            ('session', 'pg_catalog.jsonb', claims, 'the claims of the caller''s token, as pg_session_jwt calls them'),
            ('user_id', 'pg_catalog.text', format('(%s) ->> ''sub''', claims), 'the caller''s id as text'),
            ('uid', 'pg_catalog.uuid',
                format('case when (%1$s) ->> ''sub'' ~ %2$s then ((%1$s) ->> ''sub'')::pg_catalog.uuid end', claims, uuid),
                'the caller''s id; null when it is none of ours'),
            ('org_id', 'pg_catalog.uuid',
                format('case when (%1$s) #>> ''{o,id}'' ~ %2$s then ((%1$s) #>> ''{o,id}'')::pg_catalog.uuid end', claims, uuid),
                'the organization for which the caller acts'),
            ('org_role', 'pg_catalog.text', format('(%s) #>> ''{o,role}''', claims), 'the caller''s role in that organization')
        ) f (name, kind, body, about)
    loop
        if to_regprocedure(format('auth.%I()', wanted.name)) is null then
            -- No `set` clause: it would keep the planner from seeing through the function.
            execute format('create function auth.%I() returns %s language sql stable parallel safe return %s',
                wanted.name, wanted.kind, wanted.body);
            execute format('comment on function auth.%I() is %L', wanted.name, 'Gatepost: ' || wanted.about);
        end if;
    end loop;
end $install$;
