-- What `cargo xtask bench data-api` reads and writes: all of it one user's, seen through Row Level Security.
create table customers (id int primary key, owner uuid not null, name text not null);
create table items (
  id int primary key, owner uuid not null, customer_id int not null references customers, kind int not null, title text not null,
  price numeric(10, 2) not null, created_at timestamptz not null default now());
create table events (
  id bigint generated always as identity primary key, owner uuid not null, note text not null, at timestamptz not null default now());
insert into customers select n, :owner, 'customer ' || n from generate_series(1, 1000) n;
insert into items
  select n, :owner, 1 + n % 1000, n % 500, 'item ' || n, n * 1.25 from generate_series(1, 100000) n;
create index on items (customer_id);
create index on items (kind);
do $$ declare t text; begin
  foreach t in array array['customers', 'items', 'events'] loop
    execute format('alter table %I enable row level security', t);
    execute format('create policy own on %I to authenticated using (owner = (select (current_setting(''request.jwt.claims'')::json ->> ''sub'')::uuid))', t);
    execute format('grant select, insert on %I to authenticated', t);
  end loop;
end $$;
analyze;
