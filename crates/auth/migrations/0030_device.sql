-- Device authorization (RFC 8628), named as Better Auth names it. Codes stand hashed unless the table is shared.
create table if not exists neon_auth."deviceCode" (
    id uuid primary key default gen_random_uuid(),
    "deviceCode" text not null,
    "userCode" text not null,
    "userId" text,
    "expiresAt" timestamptz not null,
    status text not null,
    "lastPolledAt" timestamptz,
    "pollingInterval" integer,
    "clientId" text,
    scope text
);
create unique index if not exists "deviceCode_deviceCode_uidx" on neon_auth."deviceCode" ("deviceCode");
create unique index if not exists "deviceCode_userCode_uidx" on neon_auth."deviceCode" ("userCode");
create index if not exists "deviceCode_expiresAt_idx" on neon_auth."deviceCode" ("expiresAt");
