-- Who is in which team; the key makes a user's membership in a team unique, as Better Auth computes it.
create table if not exists neon_auth."teamMember" (
    id uuid primary key default gen_random_uuid(),
    "teamId" uuid not null references neon_auth.team (id) on delete cascade,
    "userId" uuid not null references neon_auth."user" (id) on delete cascade,
    "membershipKey" text unique,
    "createdAt" timestamptz
);
create index if not exists "teamMember_teamId_idx" on neon_auth."teamMember" ("teamId");
create index if not exists "teamMember_userId_idx" on neon_auth."teamMember" ("userId");
