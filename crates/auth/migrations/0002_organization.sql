-- Organizations, their members and invitations: Neon Auth has them on by default, and sessions point at them.
create table if not exists neon_auth.organization (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    slug text not null unique,
    logo text,
    "createdAt" timestamptz not null,
    metadata text
);
-- A second unique index on the slug is what live Neon branches carry; tools that compare schemas expect it by name.
create unique index if not exists organization_slug_uidx on neon_auth.organization (slug);

create table if not exists neon_auth.member (
    id uuid primary key default gen_random_uuid(),
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade,
    role text not null,
    "createdAt" timestamptz not null
);
create index if not exists "member_organizationId_idx" on neon_auth.member ("organizationId");
create index if not exists "member_userId_idx" on neon_auth.member ("userId");

create table if not exists neon_auth.invitation (
    id uuid primary key default gen_random_uuid(),
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade,
    email text not null,
    role text,
    status text not null,
    "expiresAt" timestamptz not null,
    "createdAt" timestamptz not null default current_timestamp,
    "inviterId" uuid not null references neon_auth."user" (id) on delete cascade
);
alter table neon_auth.invitation
    add column if not exists "teamId" text;
create index if not exists invitation_email_idx on neon_auth.invitation (email);
create index if not exists "invitation_organizationId_idx" on neon_auth.invitation ("organizationId");
