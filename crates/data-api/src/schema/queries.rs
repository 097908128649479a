//! Queries of the catalogue. Each returns one JSON document a row; `$1` is the list of exposed schemas.

/// Base type of every domain.
macro_rules! domains {
    () => {
        "WITH RECURSIVE step(domain, target) AS (
           SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
           UNION ALL
           SELECT s.domain, t.typbasetype FROM step s JOIN pg_type t ON t.oid = s.target WHERE t.typtype = 'd'
         ),
         domains AS (
           SELECT s.domain, s.target, t.typnamespace FROM step s JOIN pg_type t ON t.oid = s.target WHERE t.typtype <> 'd'
         ) "
    };
}

/// What the views of the schemas read, through whatever views: of a `WITH RECURSIVE`.
macro_rules! reach {
    () => {
        "reads AS (
           SELECT DISTINCT r.ev_class AS view, d.refobjid AS relation
           FROM pg_rewrite r
           JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
             AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
           WHERE r.ev_type = '1'
         ),
         reach AS (
           SELECT c.oid AS view, r.relation
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN reads r ON r.view = c.oid
           WHERE n.nspname = ANY($1)
           UNION
           SELECT h.view, r.relation FROM reach h JOIN reads r ON r.view = h.relation
         ),"
    };
}
pub(crate) use reach;

/// Whether a view reads with its caller's rights.
macro_rules! invoker {
    ($class:literal) => {
        concat!(
            "coalesce(array_to_string(",
            $class,
            ".reloptions, ',') ~ 'security_invoker=(true|on|1)', false)"
        )
    };
}

/// Whether rows can be written, by the bit of `pg_relation_is_updatable`. A foreign table without a handler cannot be
/// asked: one must not keep the others from being served.
macro_rules! possible {
    ($bit:literal) => {
        concat!(
            "CASE WHEN c.relkind IN ('r', 'p') THEN true
             WHEN c.relkind = 'v' OR c.relkind = 'f' AND EXISTS (
               SELECT FROM pg_foreign_table ft JOIN pg_foreign_server fs ON fs.oid = ft.ftserver
               JOIN pg_foreign_data_wrapper w ON w.oid = fs.srvfdw WHERE ft.ftrelid = c.oid AND w.fdwhandler <> 0)
             THEN pg_relation_is_updatable(c.oid, true) & ",
            $bit,
            " = ",
            $bit,
            " ELSE false END"
        )
    };
}

pub(super) const TABLES: &str = concat!(
    domains!(),
    ", cols AS (
       SELECT a.attrelid, json_agg(json_build_object(
         'name', a.attname,
         'description', col_description(a.attrelid, a.attnum),
         'nullable', NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)),
         'base_type', CASE
           WHEN t.typtype = 'd' AND d.typnamespace = 'pg_catalog'::regnamespace THEN format_type(d.target, NULL)
           WHEN t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::regnamespace THEN format_type(a.atttypid, NULL)
           ELSE format_type(a.atttypid, a.atttypmod)
         END,
         'declared_type', format_type(a.atttypid, a.atttypmod),
         'max_length', information_schema._pg_char_max_length(
            information_schema._pg_truetypid(a.*, t.*), information_schema._pg_truetypmod(a.*, t.*)),
         'default', CASE
           WHEN t.typbasetype <> 0 AND ad.adbin IS NULL THEN pg_get_expr(t.typdefaultbin, 0)
           WHEN a.attidentity = 'd' THEN (
             SELECT format('nextval(%L)', s.objid::regclass) FROM pg_depend s
             WHERE s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND s.deptype = 'i'
               AND s.refclassid = 'pg_class'::regclass AND s.classid = 'pg_class'::regclass LIMIT 1)
           WHEN a.attgenerated = 's' THEN NULL
           ELSE pg_get_expr(ad.adbin, ad.adrelid)
         END,
         'labels', CASE WHEN t.typtype IN ('e', 'd') THEN
           (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
            WHERE e.enumtypid = coalesce(d.target, t.oid)) END
       ) ORDER BY a.attnum) AS columns
       FROM pg_attribute a
       JOIN pg_class c ON c.oid = a.attrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN domains d ON d.domain = t.oid
       LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
       WHERE n.nspname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
         AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition
       GROUP BY a.attrelid
     ),
     ", reach!(), "
     reached AS (
       SELECT h.view,
         bool_and(CASE WHEN t.relkind = 'v' THEN ", invoker!("t"), " ELSE t.relrowsecurity END) AS row_security,
         bool_or(t.relnamespace = to_regnamespace('neon_auth')) AS shows_auth
       FROM reach h JOIN pg_class t ON t.oid = h.relation
       GROUP BY h.view
     )
     SELECT json_build_object(
       'schema', n.nspname,
       'name', c.relname,
       'description', obj_description(c.oid, 'pg_class'),
       'is_view', c.relkind IN ('v', 'm'),
       'row_security', CASE WHEN c.relkind = 'v'
         THEN ", invoker!("c"), " AND coalesce(reached.row_security, true)
         ELSE c.relrowsecurity END,
       'shows_auth', coalesce(reached.shows_auth, false),
       'insertable', ", possible!("8"), ",
       'updatable', ", possible!("4"), ",
       'deletable', ", possible!("16"), ",
       'primary_key', (SELECT json_agg(a.attname ORDER BY a.attname)
         FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
         WHERE k.conrelid = c.oid AND k.contype = 'p'),
       'columns', cols.columns
     )::text
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN cols ON cols.attrelid = c.oid
     LEFT JOIN reached ON reached.view = c.oid
     WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition"
);

/// Every primary and foreign key: a view may show tables of hidden schemas.
pub(super) const KEYS: &str = "
    SELECT json_build_object(
      'oid', k.oid::bigint, 'name', k.conname, 'primary', k.contype = 'p',
      'table', k.conrelid::bigint, 'table_schema', n.nspname, 'table_name', c.relname,
      'columns', (SELECT json_agg(json_build_array(a.attnum, a.attname) ORDER BY u.place)
        FROM unnest(k.conkey) WITH ORDINALITY u(col, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.col),
      'foreign_table', k.confrelid::bigint, 'foreign_schema', fn.nspname, 'foreign_name', fc.relname,
      'foreign_columns', (SELECT json_agg(json_build_array(a.attnum, a.attname) ORDER BY u.place)
        FROM unnest(k.confkey) WITH ORDINALITY u(col, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.col),
      'one_to_one', k.contype = 'f' AND EXISTS (SELECT FROM pg_constraint u
        WHERE u.conrelid = k.conrelid AND u.contype IN ('p', 'u')
          AND u.conkey @> k.conkey AND k.conkey @> u.conkey),
      'inherited', k.conparentid <> 0
    )::text
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class fc ON fc.oid = k.confrelid
    LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    WHERE k.contype IN ('p', 'f')
    ORDER BY k.conrelid, k.conname";

/// `$2`: further schemas whose views are followed.
pub(super) const VIEWS: &str = "
    SELECT json_build_object(
      'oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
      'exposed', n.nspname = ANY($1),
      'definition', r.ev_action::text,
      'columns', (SELECT coalesce(json_agg(json_build_array(a.attnum, a.attname) ORDER BY a.attnum), '[]')
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    )::text
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
    WHERE c.relkind IN ('v', 'm') AND (n.nspname = ANY($1) OR n.nspname = ANY($2))";

/// `$2`: patterns of settings to set before the function starts.
pub(super) const ROUTINES: &str = concat!(
    domains!(),
    "SELECT json_build_object(
       'oid', p.oid::bigint,
       'schema', n.nspname,
       'name', p.proname,
       'description', obj_description(p.oid, 'pg_proc'),
       'parameters', args.list,
       'return_schema', rn.nspname,
       'return_name', coalesce(rc.relname, r.typname),
       'set', p.proretset,
       'composite', r.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{t,b,o}', false),
       'volatility', p.provolatile,
       'definer', p.prosecdef,
       'variadic', p.provariadic <> 0,
       'isolation', (SELECT split_part(s, '=', 2) FROM unnest(p.proconfig) s
         WHERE s LIKE 'default\\_transaction\\_isolation=%' LIMIT 1),
       'settings', (SELECT json_agg(json_build_array(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)))
         FROM unnest(p.proconfig) s WHERE s ~ ANY($2))
     )::text
     FROM pg_proc p
     JOIN pg_namespace n ON n.oid = p.pronamespace
     LEFT JOIN domains d ON d.domain = p.prorettype
     JOIN pg_type r ON r.oid = coalesce(d.target, p.prorettype)
     JOIN pg_namespace rn ON rn.oid = r.typnamespace
     LEFT JOIN pg_class rc ON rc.oid = r.typrelid
     CROSS JOIN LATERAL (
       SELECT json_agg(json_build_object(
           'name', coalesce(a.name, ''),
           'kind', format_type(a.type, NULL),
           'required', a.place <= p.pronargs - p.pronargdefaults,
           'variadic', coalesce(a.mode = 'v', false)) ORDER BY a.place) AS list,
         count(*) FILTER (WHERE a.name IS NULL) AS unnamed,
         (array_agg(a.type ORDER BY a.place))[1] AS first
       FROM unnest(p.proargnames, p.proargtypes, p.proargmodes) WITH ORDINALITY a(name, type, mode, place)
       WHERE a.type IS NOT NULL
     ) args
     WHERE n.nspname = ANY($1) AND p.prokind = 'f' AND r.oid <> 'trigger'::regtype
       AND (args.unnamed = 0 OR (args.unnamed = 1 AND args.first IN
         ('json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype, 'bytea'::regtype)))"
);

/// Functions from a row of one relation to rows of another.
pub(super) const COMPUTED: &str = "
    SELECT json_build_object(
      'schema', n.nspname, 'name', p.proname,
      'table_schema', an.nspname, 'table_name', a.typname,
      'foreign_schema', rn.nspname, 'foreign_name', r.typname,
      'to_one', NOT p.proretset OR p.prorows = 1
    )::text
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_type a ON a.oid = p.proargtypes[0]
    JOIN pg_class ac ON ac.reltype = a.oid AND ac.relkind IN ('r', 'v', 'm', 'f', 'p')
    JOIN pg_namespace an ON an.oid = a.typnamespace
    JOIN pg_type r ON r.oid = p.prorettype
    JOIN pg_class rc ON rc.reltype = r.oid AND rc.relkind IN ('r', 'v', 'm', 'f', 'p')
    JOIN pg_namespace rn ON rn.oid = r.typnamespace
    WHERE p.pronargs = 1";

/// Functions with their owner's rights that everybody may call, and to whom they are granted by name besides.
pub(super) const OPEN_DEFINERS: &str = "
    SELECT json_build_object(
      'schema', n.nspname, 'name', p.proname, 'oid', p.oid::bigint,
      'row_schema', tn.nspname, 'row_name', t.relname,
      'granted_to', (SELECT coalesce(json_agg(g.rolname), '[]') FROM aclexplode(p.proacl) a JOIN pg_roles g ON g.oid = a.grantee)
    )::text
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_class t ON p.pronargs = 1 AND t.reltype = p.proargtypes[0] AND t.reltype <> 0
    LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
    WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)";

/// Implicit casts by function between a domain and json or text.
pub(super) const REPRESENTATIONS: &str = "
    SELECT json_build_array(
      format_type(k.castsource, NULL), format_type(k.casttarget, NULL), k.castfunc::regproc::text)::text
    FROM pg_cast k
    JOIN pg_type s ON s.oid = k.castsource
    JOIN pg_type t ON t.oid = k.casttarget
    WHERE k.castcontext = 'i' AND k.castmethod = 'f' AND has_function_privilege(k.castfunc, 'execute')
      AND ((s.typtype = 'd' AND k.casttarget IN ('json'::regtype, 'text'::regtype))
        OR (t.typtype = 'd' AND k.castsource IN ('json'::regtype, 'text'::regtype)))";

/// Aggregates and functions returning a domain named as a media type.
pub(super) const HANDLERS: &str = "
    WITH media AS (
      SELECT oid, lower(typname) AS name, typname, typnamespace,
        CASE typname WHEN '*/*' THEN 'application/octet-stream' ELSE typname::text END AS answered
      FROM pg_type
      WHERE typtype = 'd' AND (typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' OR typname = '*/*')
    )
    SELECT json_build_array(n.nspname, p.proname, an.nspname, a.typname, m.name, m.answered)::text
    FROM media m
    JOIN pg_proc p ON p.prorettype = m.oid AND p.prokind = 'a' AND p.pronargs = 1
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_type a ON a.oid = p.proargtypes[0]
    JOIN pg_namespace an ON an.oid = a.typnamespace
    WHERE n.nspname = ANY($1) AND (a.typname = 'anyelement'
      OR EXISTS (SELECT FROM pg_class c WHERE c.reltype = a.oid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')))
    UNION ALL
    SELECT json_build_array(mn.nspname, m.typname, n.nspname, p.proname, m.name, m.answered)::text
    FROM media m
    JOIN pg_namespace mn ON mn.oid = m.typnamespace
    JOIN pg_proc p ON p.prorettype = m.oid AND p.prokind = 'f' AND NOT p.proretset
    JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY($1)";
