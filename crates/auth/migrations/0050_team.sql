-- Teams inside organizations, named as Better Auth's plugin names them.
create table if not exists neon_auth.team (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    "memberCount" integer not null,
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade,
    "createdAt" timestamptz not null,
    "updatedAt" timestamptz
);
create index if not exists "team_organizationId_idx" on neon_auth.team ("organizationId");
