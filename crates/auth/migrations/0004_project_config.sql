-- Neon Auth's settings row: its tools read it, and an adopted branch brings its own.
create table if not exists neon_auth.project_config (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    endpoint_id text not null unique,
    created_at timestamptz not null default current_timestamp,
    updated_at timestamptz not null default current_timestamp,
    trusted_origins jsonb not null,
    social_providers jsonb not null,
    email_provider jsonb,
    email_and_password jsonb,
    allow_localhost boolean not null
);
-- Missing on older branches; null there means the defaults.
alter table neon_auth.project_config
    add column if not exists plugin_configs jsonb,
    add column if not exists webhook_config jsonb;
insert into neon_auth.project_config (
    name, endpoint_id, trusted_origins, social_providers, email_provider, email_and_password, allow_localhost,
    plugin_configs, webhook_config)
select
    current_database(), current_database(), '[]', '[{"id":"google","isShared":true}]', '{"type":"shared"}',
    '{"enabled":true,"disableSignUp":false,"emailVerificationMethod":"otp","requireEmailVerification":false,"autoSignInAfterVerification":true,"sendVerificationEmailOnSignIn":false,"sendVerificationEmailOnSignUp":false}',
    true,
    '{"magicLink":{"config":{"expiresIn":5,"disableSignUp":false},"enabled":false},"phoneNumber":{"config":{"otp_expires_in":300},"enabled":false},"organization":{"config":{"creatorRole":"owner","membershipLimit":100,"organizationLimit":10,"sendInvitationEmail":false},"enabled":true}}',
    '{"enabled":false,"enabledEvents":[],"timeoutSeconds":5}'
where not exists (select from neon_auth.project_config);
