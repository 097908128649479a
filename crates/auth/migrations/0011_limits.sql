-- Counters of rate limits and failed sign-ins. Unlogged: counting writes no WAL, and a crash of the database forgets
-- counts of minutes, nothing else. `key` is the first 128 bits of a SHA-256, so that no address or account is stored.
create unlogged table if not exists neon_auth.gatepost_limit (
    key uuid primary key,
    hits integer not null,
    ends_at timestamptz not null,
    next_at timestamptz
) with (fillfactor = 50);
-- For removing what has ended. Counting within a window leaves `ends_at` alone, so such updates stay heap-only.
create index if not exists gatepost_limit_ends_at_idx on neon_auth.gatepost_limit (ends_at);
