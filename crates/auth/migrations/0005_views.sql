-- Snake-case views for people who write SQL: no password hash, session token or key ever shows through one.
create view neon_auth.users as
select
    id, name, email, "emailVerified" as email_verified, image, username, "displayUsername" as display_username,
    "phoneNumber" as phone_number, "phoneNumberVerified" as phone_number_verified, "isAnonymous" as is_anonymous,
    "twoFactorEnabled" as two_factor_enabled, "lastLoginMethod" as last_login_method, role, banned,
    "banReason" as ban_reason, "banExpires" as ban_expires, "createdAt" as created_at, "updatedAt" as updated_at
from neon_auth."user";

create view neon_auth.sessions as
select
    id, "userId" as user_id, "expiresAt" as expires_at, "ipAddress" as ip_address, "userAgent" as user_agent,
    "impersonatedBy" as impersonated_by, "activeOrganizationId" as active_organization_id,
    "activeTeamId" as active_team_id, "createdAt" as created_at, "updatedAt" as updated_at
from neon_auth.session;

create view neon_auth.organizations as
select id, name, slug, logo, metadata, "createdAt" as created_at
from neon_auth.organization;

create view neon_auth.members as
select id, "organizationId" as organization_id, "userId" as user_id, role, "createdAt" as created_at
from neon_auth.member;

create view neon_auth.invitations as
select
    id, "organizationId" as organization_id, email, role, "teamId" as team_id, status, "inviterId" as inviter_id,
    "expiresAt" as expires_at, "createdAt" as created_at
from neon_auth.invitation;
