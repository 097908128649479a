-- Roles that an organization made for itself, with their permissions as JSON text.
create table if not exists neon_auth."organizationRole" (
    id uuid primary key default gen_random_uuid(),
    "organizationId" uuid not null references neon_auth.organization (id) on delete cascade,
    role text not null,
    permission text not null,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz
);
create index if not exists "organizationRole_organizationId_idx" on neon_auth."organizationRole" ("organizationId");
create index if not exists "organizationRole_role_idx" on neon_auth."organizationRole" (role);
