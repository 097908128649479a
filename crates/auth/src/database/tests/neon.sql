-- What a live Neon branch of the older kind has in schema neon_auth, the legacy table included.
create schema neon_auth;
create table neon_auth."user" (
    id uuid primary key default gen_random_uuid(), name text not null, email text not null unique,
    "emailVerified" boolean not null, image text, "createdAt" timestamptz default current_timestamp not null,
    "updatedAt" timestamptz default current_timestamp not null, role text, banned boolean, "banReason" text,
    "banExpires" timestamptz);
create table neon_auth.session (
    id uuid primary key default gen_random_uuid(), "expiresAt" timestamptz not null, token text not null unique,
    "createdAt" timestamptz default current_timestamp not null, "updatedAt" timestamptz not null, "ipAddress" text,
    "userAgent" text, "userId" uuid not null references neon_auth."user" (id) on delete cascade,
    "impersonatedBy" text, "activeOrganizationId" text);
create index "session_userId_idx" on neon_auth.session ("userId");
create table neon_auth.account (
    id uuid primary key default gen_random_uuid(), "accountId" text not null, "providerId" text not null,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade, "accessToken" text,
    "refreshToken" text, "idToken" text, "accessTokenExpiresAt" timestamptz, "refreshTokenExpiresAt" timestamptz,
    scope text, password text, "createdAt" timestamptz default current_timestamp not null,
    "updatedAt" timestamptz not null);
create index "account_userId_idx" on neon_auth.account ("userId");
create table neon_auth.verification (
    id uuid primary key default gen_random_uuid(), identifier text not null, value text not null,
    "expiresAt" timestamptz not null, "createdAt" timestamptz default current_timestamp not null,
    "updatedAt" timestamptz default current_timestamp not null);
create index verification_identifier_idx on neon_auth.verification (identifier);
create table neon_auth.jwks (
    id uuid primary key default gen_random_uuid(), "publicKey" text not null, "privateKey" text not null,
    "createdAt" timestamptz not null, "expiresAt" timestamptz);
create table neon_auth.organization (
    id uuid primary key default gen_random_uuid(), name text not null, slug text not null unique, logo text,
    "createdAt" timestamptz not null, metadata text);
create unique index organization_slug_uidx on neon_auth.organization (slug);
create table neon_auth.member (
    id uuid primary key default gen_random_uuid(),
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade, role text not null,
    "createdAt" timestamptz not null);
create index "member_organizationId_idx" on neon_auth.member ("organizationId");
create index "member_userId_idx" on neon_auth.member ("userId");
create table neon_auth.invitation (
    id uuid primary key default gen_random_uuid(),
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade, email text not null,
    role text, status text not null, "expiresAt" timestamptz not null,
    "createdAt" timestamptz default current_timestamp not null,
    "inviterId" uuid not null references neon_auth."user" (id) on delete cascade);
create index invitation_email_idx on neon_auth.invitation (email);
create index "invitation_organizationId_idx" on neon_auth.invitation ("organizationId");
create table neon_auth.project_config (
    id uuid primary key default gen_random_uuid(), name text not null, endpoint_id text not null unique,
    created_at timestamptz default now() not null, updated_at timestamptz default now() not null,
    trusted_origins jsonb not null, social_providers jsonb not null, email_provider jsonb, email_and_password jsonb,
    allow_localhost boolean not null);
create table neon_auth.users_sync (
    id text primary key, raw_json jsonb not null, name text, email text, created_at timestamptz,
    updated_at timestamptz, deleted_at timestamptz);
