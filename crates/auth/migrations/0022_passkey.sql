-- Passkeys, named exactly as Better Auth names them.
create table if not exists neon_auth.passkey (
    id uuid primary key default gen_random_uuid(),
    name text,
    "publicKey" text not null,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade,
    "credentialID" text not null,
    counter integer not null,
    "deviceType" text not null,
    "backedUp" boolean not null,
    transports text,
    "createdAt" timestamptz,
    aaguid text
);
create index if not exists "passkey_userId_idx" on neon_auth.passkey ("userId");
create index if not exists "passkey_credentialID_idx" on neon_auth.passkey ("credentialID");
