-- The real shape of schema neon_auth, one row per fact, independent of the search path and of names of constraints.
with relation as (
    select c.oid, c.relname::text as relation, c.relkind
    from pg_catalog.pg_class c
    where c.relnamespace = (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'neon_auth')
      and c.relkind in ('r', 'p', 'v')
), attribute as (
    select a.attrelid, a.attnum, pg_catalog.quote_ident(a.attname) as name
    from pg_catalog.pg_attribute a
    where a.attrelid in (select oid from relation)
)
select
    case r.relkind when 'v' then 'view' else 'column' end as kind, r.relation, a.attname::text as name,
    pg_catalog.format_type(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' not null' else '' end
        || case when a.attidentity <> '' then ' default identity'
                -- A generated column and a plain one that a trigger fills are the same to whoever reads them.
                when d.oid is not null and a.attgenerated = '' then ' default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
                else '' end as definition
from relation r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
union all
select
    case when x.indisprimary then 'primary key' when x.indisunique then 'unique' else 'index' end,
    r.relation, i.relname::text,
    case when x.indisunique then '' else m.amname || ' ' end
        || '(' || (
            select string_agg(pg_catalog.pg_get_indexdef(x.indexrelid, k, true), ', ' order by k)
            from generate_series(1, x.indnkeyatts) k
        ) || ')'
        || coalesce(' where ' || pg_catalog.pg_get_expr(x.indpred, x.indrelid), '')
from relation r
join pg_catalog.pg_index x on x.indrelid = r.oid and x.indisvalid and x.indimmediate
join pg_catalog.pg_class i on i.oid = x.indexrelid
join pg_catalog.pg_am m on m.oid = i.relam
union all
select
    'foreign key', r.relation, f.conname::text,
    '(' || (
        select string_agg(a.name, ', ' order by k.ord)
        from unnest(f.conkey) with ordinality k (num, ord)
        join attribute a on a.attrelid = f.conrelid and a.attnum = k.num
    ) || ') references ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.relname) || ' (' || (
        select string_agg(pg_catalog.quote_ident(a.attname), ', ' order by k.ord)
        from unnest(f.confkey) with ordinality k (num, ord)
        join pg_catalog.pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.num
    ) || ')' || case f.confdeltype when 'c' then ' on delete cascade' when 'n' then ' on delete set null'
        when 'd' then ' on delete set default' when 'r' then ' on delete restrict' else '' end
from relation r
join pg_catalog.pg_constraint f on f.conrelid = r.oid and f.contype = 'f'
join pg_catalog.pg_class t on t.oid = f.confrelid
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
