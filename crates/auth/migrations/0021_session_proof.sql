-- When the user of a session last proved to be the same, other than by signing in: it is fresh again from then on.
alter table neon_auth.session add column if not exists gatepost_proven_at timestamptz;
