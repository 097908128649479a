-- The ground tables, named exactly as Better Auth and Neon Auth name them, so that an existing database is adopted in place.
create table if not exists neon_auth."user" (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    email text not null unique,
    "emailVerified" boolean not null,
    image text,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null default current_timestamp
);
-- Plugin columns: absent in Neon's default layout and in a Better Auth without the plugin. Nullable, so no row is rewritten.
alter table neon_auth."user"
    add column if not exists role text,
    add column if not exists banned boolean,
    add column if not exists "banReason" text,
    add column if not exists "banExpires" timestamptz,
    add column if not exists "phoneNumber" text unique,
    add column if not exists "phoneNumberVerified" boolean,
    add column if not exists username text unique,
    add column if not exists "displayUsername" text,
    add column if not exists "isAnonymous" boolean,
    add column if not exists "twoFactorEnabled" boolean,
    add column if not exists "lastLoginMethod" text;

create table if not exists neon_auth.session (
    id uuid primary key default gen_random_uuid(),
    "expiresAt" timestamptz not null,
    token text not null unique,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null,
    "ipAddress" text,
    "userAgent" text,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade
);
alter table neon_auth.session
    add column if not exists "impersonatedBy" text,
    add column if not exists "activeOrganizationId" text,
    add column if not exists "activeTeamId" text;
create index if not exists "session_userId_idx" on neon_auth.session ("userId");

create table if not exists neon_auth.account (
    id uuid primary key default gen_random_uuid(),
    "accountId" text not null,
    "providerId" text not null,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade,
    "accessToken" text,
    "refreshToken" text,
    "idToken" text,
    "accessTokenExpiresAt" timestamptz,
    "refreshTokenExpiresAt" timestamptz,
    scope text,
    password text,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null
);
create index if not exists "account_userId_idx" on neon_auth.account ("userId");

create table if not exists neon_auth.verification (
    id uuid primary key default gen_random_uuid(),
    identifier text not null,
    value text not null,
    "expiresAt" timestamptz not null,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null default current_timestamp
);
create index if not exists verification_identifier_idx on neon_auth.verification (identifier);

create table if not exists neon_auth.jwks (
    id uuid primary key default gen_random_uuid(),
    "publicKey" text not null,
    "privateKey" text not null,
    "createdAt" timestamptz not null,
    "expiresAt" timestamptz
);
alter table neon_auth.jwks
    add column if not exists alg text,
    add column if not exists crv text;
