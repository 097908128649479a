-- "Is this user a member of this organization?" is asked by every request that names one: one probe answers it.
create index if not exists "gatepost_member_userId_organizationId_idx" on neon_auth.member ("userId", "organizationId");
