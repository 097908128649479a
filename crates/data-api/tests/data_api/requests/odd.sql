-- What the fixture lacks: every form of name, conversion and function. `requests` asks for it.
CREATE TABLE api."od""d; --" (
  id int PRIMARY KEY, "a""b" text DEFAULT 'it''s', "$1" int, "x' y" jsonb, "ünï ☃" text[], "*/" int4range,
  words tsvector, task_id int UNIQUE REFERENCES api.tasks);
CREATE SCHEMA "oth""er";
CREATE TABLE "oth""er"."select" (id int PRIMARY KEY, "from" text);

-- A domain that is shown, read and compared through functions.
CREATE DOMAIN api.shade AS int;
CREATE FUNCTION api.shade_json(api.shade) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT to_json('#' || $1::int) $$;
CREATE FUNCTION api.json_shade(json) RETURNS api.shade IMMUTABLE LANGUAGE sql AS $$ SELECT ($1 #>> '{}')::int::api.shade $$;
CREATE FUNCTION api.text_shade(text) RETURNS api.shade IMMUTABLE LANGUAGE sql AS $$ SELECT ltrim($1, '#')::int::api.shade $$;
CREATE CAST (api.shade AS json) WITH FUNCTION api.shade_json(api.shade) AS IMPLICIT;
CREATE CAST (json AS api.shade) WITH FUNCTION api.json_shade(json) AS IMPLICIT;
CREATE CAST (text AS api.shade) WITH FUNCTION api.text_shade(text) AS IMPLICIT;
ALTER TABLE api."od""d; --" ADD shade api.shade DEFAULT 7;

CREATE FUNCTION api."f""n"("a""b" int, "c d" text DEFAULT 'x') RETURNS SETOF api.tasks STABLE
  SET statement_timeout = '1s' LANGUAGE sql AS $$ SELECT * FROM api.tasks $$;
CREATE FUNCTION api.say(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION api.half(json, b int) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;
CREATE FUNCTION api.size(bytea) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT length($1) $$;
CREATE FUNCTION api.told(VARIADIC words text[]) RETURNS SETOF text IMMUTABLE LANGUAGE sql AS $$ SELECT unnest(words) $$;

CREATE DOMAIN api."text/x-odd" AS text;
CREATE FUNCTION api.odd_next(state api."text/x-odd", api.tasks) RETURNS api."text/x-odd" IMMUTABLE LANGUAGE sql
  AS $$ SELECT ($1 || $2.title)::api."text/x-odd" $$;
CREATE AGGREGATE api.odd_lines(api.tasks) (SFUNC = api.odd_next, STYPE = api."text/x-odd", INITCOND = '');

GRANT USAGE ON SCHEMA "oth""er" TO authenticated;
GRANT ALL ON api."od""d; --", "oth""er"."select" TO authenticated;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api TO authenticated;
