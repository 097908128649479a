-- Projects and documents of organizations, for callers of the Data API. Needs the functions of schema `auth`
-- (`gatepost migrate` installs them) and the roles `anonymous` and `authenticated`.
create schema app;
grant usage on schema app to anonymous, authenticated;

create table app.project (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references neon_auth.organization (id) on delete cascade,
    name text not null,
    public boolean not null default false
);
-- Every column that a policy compares has an index.
create index project_organization_id_idx on app.project (organization_id);

create table app.document (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null,
    project_id uuid not null references app.project (id) on delete cascade,
    author_id uuid not null default auth.uid(),
    title text not null
);
create index document_organization_id_idx on app.document (organization_id);
create index document_project_id_idx on app.document (project_id);

alter table app.project enable row level security;
alter table app.document enable row level security;
grant select on app.project to anonymous;
grant select, insert, update, delete on app.project, app.document to authenticated;

-- `(select …)` makes the planner ask once for each statement instead of once for each row.
create policy "everybody reads public projects" on app.project for select to anonymous, authenticated
    using (public);
create policy "members read their organization's projects" on app.project for select to authenticated
    using (organization_id = (select auth.org_id()));
create policy "owners and admins write projects" on app.project to authenticated
    using (organization_id = (select auth.org_id()) and (select auth.org_role()) in ('owner', 'admin'))
    with check (organization_id = (select auth.org_id()) and (select auth.org_role()) in ('owner', 'admin'));

create policy "members read documents" on app.document for select to authenticated
    using (organization_id = (select auth.org_id()));
create policy "members write documents of their own" on app.document for insert to authenticated
    with check (organization_id = (select auth.org_id()) and author_id = (select auth.uid()));
create policy "authors and admins change documents" on app.document for update to authenticated
    using (organization_id = (select auth.org_id())
        and (author_id = (select auth.uid()) or (select auth.org_role()) in ('owner', 'admin')))
    with check (organization_id = (select auth.org_id()));
create policy "owners remove documents" on app.document for delete to authenticated
    using (organization_id = (select auth.org_id()) and (select auth.org_role()) = 'owner');
