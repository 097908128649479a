-- The ledger of applied migrations, read before anything else; it cannot record itself.
create table if not exists neon_auth.gatepost_migration (
    number integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
);
