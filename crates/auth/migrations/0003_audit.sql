-- Security events for later questions: who signed in, who was refused, what was revoked. Rows outlive the user they speak of.
create table neon_auth.gatepost_audit (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    event text not null,
    user_id uuid,
    session_id uuid,
    address text,
    request_id text,
    details jsonb
);
create index gatepost_audit_at_idx on neon_auth.gatepost_audit (at);
create index gatepost_audit_user_id_idx on neon_auth.gatepost_audit (user_id, at);
