//! What the catalogue says. `$1` is the list of schemas; the search path is empty.

use crate::schema::queries::reach;

/// Relations that policies cannot guard although they could be, and those that policies never guard.
pub(super) const TABLES: &str = "
    SELECT n.nspname::text, c.relname::text, c.relkind IN ('r', 'p'),
      ARRAY(SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
        FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner ORDER BY 1)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND NOT c.relispartition
      AND (c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
        OR c.relkind IN ('m', 'f') AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner))
    ORDER BY 1, 2";

/// Views with their owner's rights, and whether they show the schema of the auth server.
pub(super) const VIEWS: &str = concat!("
    WITH RECURSIVE ", reach!(), "
    auth AS (
      SELECT DISTINCT h.view FROM reach h JOIN pg_class t ON t.oid = h.relation
      WHERE t.relnamespace = to_regnamespace('neon_auth')
    ),
    views AS (
      SELECT n.nspname, c.relname, auth.view IS NOT NULL AS shows_auth,
        c.relkind = 'v' AND coalesce(array_to_string(c.reloptions, ','), '') !~ 'security_invoker=(true|on|1)' AS bypasses,
        ARRAY(SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
          FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner ORDER BY 1) AS grantees
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN auth ON auth.view = c.oid
      WHERE n.nspname = ANY($1) AND c.relkind IN ('v', 'm')
    )
    SELECT nspname::text, relname::text, shows_auth AND grantees <> '{}', bypasses AND NOT shows_auth, grantees,
      current_setting('server_version_num')::int >= 150000
    FROM views
    WHERE shows_auth AND grantees <> '{}' OR bypasses AND NOT shows_auth
    ORDER BY 1, 2");

/// Functions with their owner's rights: everybody's to call, or with the caller's search path.
pub(super) const FUNCTIONS: &str = "
    SELECT p.oid::regprocedure::text, quote_ident(n.nspname), open.everybody, open.path_follows_caller
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN LATERAL (SELECT
      EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0) AS everybody,
      NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%') AS path_follows_caller) open
    WHERE n.nspname = ANY($1) AND p.prosecdef AND p.prokind = 'f' AND p.prorettype <> 'event_trigger'::regtype
      AND p.prorettype <> 'trigger'::regtype AND (open.everybody OR open.path_follows_caller)
    ORDER BY 1";

pub(super) const POLICIES: &str = "
    SELECT n.nspname::text, c.relname::text, p.polname::text,
      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
      ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT EXISTS (SELECT FROM pg_index i
            WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum AND i.indpred IS NULL AND i.indisvalid)),
      c.relkind = 'p',
      (SELECT format('%I = (SELECT (nullif(current_setting(''request.jwt.claims'', true), '''')::json ->> ''sub'')::%s)',
          a.attname, format_type(a.atttypid, NULL))
        FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('uuid'::regtype, 'text'::regtype)
          AND a.attname IN ('user_id', 'owner_id', 'owner', 'author_id', 'created_by')
        ORDER BY a.attnum LIMIT 1)
    FROM pg_policy p
    JOIN pg_class c ON c.oid = p.polrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) ORDER BY 1, 2, 3";

pub(super) const FOREIGN_KEYS: &str = "
    SELECT n.nspname::text, c.relname::text, k.conname::text,
      ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(col, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.col ORDER BY u.place),
      c.relkind = 'p'
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = ANY($1)
      AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indpred IS NULL AND i.indisvalid
        AND (i.indkey::int2[])[0:array_length(k.conkey, 1) - 1] @> k.conkey)
    ORDER BY 1, 2, 3";
