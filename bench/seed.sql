-- The same users, sessions and accounts for both servers. The schema is on the search path; {hash} is the stored form of
-- the known password; {token} turns the session token `t` into what the server stores.
begin;
insert into "user" (id, name, email, "emailVerified", "createdAt", "updatedAt", role, banned)
  select md5('user' || n)::uuid, 'User ' || n, 'user' || n || '@bench.local', true, now(), now(), 'user', false
  from generate_series(1, {users}) n;
insert into session (id, "expiresAt", token, "createdAt", "updatedAt", "ipAddress", "userAgent", "userId")
  select md5('session' || n)::uuid, now() + interval '7 days', {token}, now(), now(), '127.0.0.1', 'bench/1.0',
    md5('user' || n)::uuid
  from generate_series(1, {users}) n, md5('token' || n) t;
insert into account (id, "accountId", "providerId", "userId", password, "createdAt", "updatedAt")
  select md5('account' || n)::uuid, md5('user' || n)::uuid::text, 'credential', md5('user' || n)::uuid, '{hash}', now(), now()
  from generate_series(1, {users}) n;
commit;
vacuum analyze;
