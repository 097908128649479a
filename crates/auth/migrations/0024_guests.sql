-- What happens when a guest becomes a user: called in the transaction that signs the user in, before the guest is removed.
-- An installation replaces the body to move what the guest owns.
create or replace function neon_auth.gatepost_guest_linked(guest uuid, account uuid) returns void
language sql as 'select';
-- The guests that have gone are looked for by their age.
create index if not exists "gatepost_user_guest_idx" on neon_auth."user" ("updatedAt") where "isAnonymous";
