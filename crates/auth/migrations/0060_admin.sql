-- What administration looks up: users with a role of their own, sessions in which somebody acts as somebody else.
create index if not exists "user_role_idx" on neon_auth."user" (role) where role <> 'user';
create index if not exists "session_impersonatedBy_idx" on neon_auth.session ("impersonatedBy") where "impersonatedBy" is not null;
