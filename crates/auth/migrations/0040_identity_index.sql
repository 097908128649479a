-- Every sign-in at another provider looks an identity up. Not unique: an adopted database may hold one twice.
create index if not exists "account_identity_idx" on neon_auth.account ("providerId", "accountId");
