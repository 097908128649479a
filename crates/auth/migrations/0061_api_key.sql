-- API keys, laid out as Better Auth lays them out; `key` is the SHA-256 of the key.
create table if not exists neon_auth.apikey (
    id uuid primary key default gen_random_uuid(),
    "configId" text not null,
    name text,
    start text,
    "referenceId" text not null,
    prefix text,
    key text not null,
    "refillInterval" integer,
    "refillAmount" integer,
    "lastRefillAt" timestamptz,
    enabled boolean,
    "rateLimitEnabled" boolean,
    "rateLimitTimeWindow" integer,
    "rateLimitMax" integer,
    "requestCount" integer,
    remaining integer,
    "lastRequest" timestamptz,
    "expiresAt" timestamptz,
    "createdAt" timestamptz not null,
    "updatedAt" timestamptz not null,
    permissions text,
    metadata text
);
create index if not exists "apikey_configId_idx" on neon_auth.apikey ("configId");
create index if not exists "apikey_referenceId_idx" on neon_auth.apikey ("referenceId");
create index if not exists apikey_key_idx on neon_auth.apikey (key);
create index if not exists "apikey_expiresAt_idx" on neon_auth.apikey ("expiresAt") where "expiresAt" is not null;

-- Whose hands a key of an organization is in, and the role it acts with. Beside the table, whose columns are Better Auth's.
create table neon_auth.gatepost_api_key_holder (
    key_id uuid primary key references neon_auth.apikey (id) on delete cascade,
    user_id uuid not null references neon_auth."user" (id) on delete cascade,
    role text not null
);
create index gatepost_api_key_holder_user_id_idx on neon_auth.gatepost_api_key_holder (user_id);
