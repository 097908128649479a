-- What the data-api flows work on: rows of a user by auth.uid() and auth.user_id().
do $$ begin
  if to_regprocedure('auth.user_id()') is null then
    create schema if not exists auth;
    grant usage on schema auth to anonymous, authenticated;
    create function auth.jwt() returns jsonb stable language sql
      as 'select nullif(current_setting(''request.jwt.claims'', true), '''')::jsonb';
    create function auth.user_id() returns text stable language sql as 'select auth.jwt() ->> ''sub''';
    create function auth.uid() returns uuid stable language sql as 'select (auth.jwt() ->> ''sub'')::uuid';
  end if;
end $$;

create table notes (
  id int generated always as identity primary key,
  user_id uuid not null default auth.uid(),
  title text not null check (title <> ''),
  body text,
  tags text[] not null default '{}',
  meta jsonb not null default '{}',
  done boolean not null default false,
  created_at timestamptz not null default now());
create table projects (id int generated always as identity primary key, owner text not null default auth.user_id(), name text not null);
create table tasks (
  id int generated always as identity primary key,
  project_id int not null references projects on delete cascade,
  title text not null,
  hours numeric not null default 1);
create table settings (user_id uuid primary key default auth.uid(), theme text not null);
create table private (id int primary key);
create table news (id int primary key, title text not null);
insert into news values (1, 'first'), (2, 'second');

alter table notes enable row level security;
alter table projects enable row level security;
alter table tasks enable row level security;
alter table settings enable row level security;
alter table private enable row level security;
alter table news enable row level security;
create policy own on notes to authenticated using (user_id = (select auth.uid()));
create policy own on projects to authenticated using (owner = (select auth.user_id()));
create policy own on tasks to authenticated using (project_id in (select id from projects));
create policy own on settings to authenticated using (user_id = (select auth.uid()));
create policy everybody on news for select using (true);
grant select, insert, update, delete on notes, projects, tasks, settings to authenticated;
grant select on notes, news to anonymous;
grant select on news to authenticated;

create function whoami() returns json stable language sql
  as $$ select json_build_object('user_id', auth.user_id(), 'role', current_user) $$;
create function add(a int, b int default 1) returns int immutable language sql as 'select a + b';
create function tasks_of(project text) returns setof tasks stable language sql
  as $$ select t.* from tasks t join projects p on p.id = t.project_id where p.name = project order by t.id $$;
create function fail() returns void language plpgsql
  as $$ begin raise exception 'no' using errcode = 'P0001', hint = 'ask', detail = 'why'; end $$;
create function email() returns text stable language sql as $$ select auth.jwt() ->> 'email' $$;
revoke execute on all functions in schema public from public;
grant execute on all functions in schema public to anonymous, authenticated;
