-- One table of users for foreign keys and joins, whoever owns the identities. Its columns are those of the legacy service, so that its tables are adopted.
create table if not exists neon_auth.users_sync (
    raw_json jsonb not null,
    id text generated always as (raw_json ->> 'id') stored primary key,
    name text generated always as (raw_json ->> 'display_name') stored,
    email text generated always as (raw_json ->> 'primary_email') stored,
    created_at timestamptz generated always as (
        to_timestamp(((raw_json ->> 'signed_up_at_millis')::bigint)::double precision / 1000)
    ) stored,
    updated_at timestamptz,
    deleted_at timestamptz
);
create index if not exists users_sync_deleted_at_idx on neon_auth.users_sync (deleted_at);

-- A table of older making has plain columns, which then follow from the same member.
create function neon_auth.gatepost_fill_users_sync() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.id := new.raw_json ->> 'id';
    new.name := new.raw_json ->> 'display_name';
    new.email := new.raw_json ->> 'primary_email';
    new.created_at := to_timestamp(((new.raw_json ->> 'signed_up_at_millis')::bigint)::double precision / 1000);
    return new;
end
$$;
do $$
begin
    if exists (
        select 1 from pg_catalog.pg_attribute
        where attrelid = 'neon_auth.users_sync'::regclass and attname = 'id' and attgenerated = ''
    ) then
        create trigger gatepost_fill_users_sync
        before insert or update of raw_json on neon_auth.users_sync
        for each row execute function neon_auth.gatepost_fill_users_sync();
    end if;
end
$$;

-- Which provider owns a row, and how new its last word is: providers deliver out of order and more than once.
create table neon_auth.gatepost_users_source (
    user_id text primary key,
    source text not null,
    changed_at timestamptz not null,
    seen_at timestamptz not null
);
create index gatepost_users_source_source_idx on neon_auth.gatepost_users_source (source, seen_at);

-- A trigger, so that the mirror is right in the same transaction, whichever program writes the user.
create function neon_auth.gatepost_mirror_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        -- Only what a foreign key needs stays of who left.
        update neon_auth.users_sync
        set raw_json = jsonb_build_object('id', old.id, 'signed_up_at_millis', raw_json -> 'signed_up_at_millis'),
            updated_at = clock_timestamp(), deleted_at = clock_timestamp()
        where id = old.id::text;
        return old;
    end if;
    insert into neon_auth.users_sync (raw_json, updated_at)
    values (
        jsonb_build_object(
            'id', new.id,
            'display_name', new.name,
            'primary_email', new.email,
            'primary_email_verified', new."emailVerified",
            'profile_image_url', new.image,
            'signed_up_at_millis', floor(extract(epoch from new."createdAt") * 1000)::bigint
        ),
        new."updatedAt"
    )
    on conflict (id) do update
    set raw_json = excluded.raw_json, updated_at = excluded.updated_at, deleted_at = null;
    return new;
end
$$;
create trigger gatepost_mirror_user_written
after insert or update of name, email, "emailVerified", image on neon_auth."user"
for each row execute function neon_auth.gatepost_mirror_user();
create trigger gatepost_mirror_user_deleted
after delete on neon_auth."user"
for each row execute function neon_auth.gatepost_mirror_user();

insert into neon_auth.users_sync (raw_json, updated_at)
select
    jsonb_build_object(
        'id', id,
        'display_name', name,
        'primary_email', email,
        'primary_email_verified', "emailVerified",
        'profile_image_url', image,
        'signed_up_at_millis', floor(extract(epoch from "createdAt") * 1000)::bigint
    ),
    "updatedAt"
from neon_auth."user"
on conflict (id) do nothing;

-- When a full sync of a provider last began, so that of several replicas one does it.
create table neon_auth.gatepost_users_full_sync (
    source text primary key,
    started_at timestamptz not null
);
