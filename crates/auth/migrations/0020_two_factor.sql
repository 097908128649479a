-- The second factor, named exactly as Better Auth names it; the last step of the authenticator that was used is ours.
create table if not exists neon_auth."twoFactor" (
    id uuid primary key default gen_random_uuid(),
    secret text not null,
    "backupCodes" text not null,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade
);
-- Columns that came with later versions of Better Auth.
alter table neon_auth."twoFactor"
    add column if not exists verified boolean,
    add column if not exists "failedVerificationCount" integer,
    add column if not exists "lockedUntil" timestamptz,
    add column if not exists gatepost_last_step bigint;
create index if not exists "twoFactor_secret_idx" on neon_auth."twoFactor" (secret);
create index if not exists "twoFactor_userId_idx" on neon_auth."twoFactor" ("userId");
