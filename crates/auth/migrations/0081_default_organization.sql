-- The organization that a user enters after signing in, when there is a choice.
create table neon_auth.gatepost_default_organization (
    user_id uuid primary key references neon_auth."user" (id) on delete cascade,
    organization_id uuid not null references neon_auth.organization (id) on delete cascade
);
create index gatepost_default_organization_organization_id_idx
on neon_auth.gatepost_default_organization (organization_id);
