//! What endpoints of organizations refuse, in Better Auth's words.

use http::StatusCode;

use crate::error::Refusal;

const fn bad_request(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

const fn forbidden(code: &'static str, message: &'static str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, code, message)
}

/// Some endpoints tell nobody why; their clients know it by the status.
pub const NOBODY: Refusal = Refusal::bare(StatusCode::UNAUTHORIZED);
pub const BARE_BAD_REQUEST: Refusal = Refusal::bare(StatusCode::BAD_REQUEST);
pub const USER_NOT_FOUND: Refusal =
    Refusal::without_code(StatusCode::UNAUTHORIZED, "User not found");
pub const NOT_AUTHENTICATED: Refusal =
    Refusal::without_code(StatusCode::UNAUTHORIZED, "Not authenticated");

pub const MAY_NOT_CREATE: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_NEW_ORGANIZATION",
    "You are not allowed to create a new organization",
);
pub const TOO_MANY_ORGANIZATIONS: Refusal = forbidden(
    "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_ORGANIZATIONS",
    "You have reached the maximum number of organizations",
);
pub const ALREADY_EXISTS: Refusal =
    bad_request("ORGANIZATION_ALREADY_EXISTS", "Organization already exists");
pub const SLUG_TAKEN: Refusal =
    bad_request("ORGANIZATION_SLUG_ALREADY_TAKEN", "Organization slug already taken");
/// Gatepost's own: Better Auth takes every short name.
pub const SLUG_NOT_ALLOWED: Refusal = bad_request(
    "ORGANIZATION_SLUG_NOT_ALLOWED",
    "Organization slug not allowed: lower-case letters, digits, - and _, at most 63, and no reserved name",
);
pub const ORGANIZATION_NOT_FOUND: Refusal =
    bad_request("ORGANIZATION_NOT_FOUND", "Organization not found");
pub const NO_MEMBER_OF_ORGANIZATION: Refusal = bad_request(
    "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION",
    "User is not a member of the organization",
);
pub const STRANGER: Refusal =
    Refusal { status: StatusCode::FORBIDDEN, ..NO_MEMBER_OF_ORGANIZATION };
pub const HAS_NO_PERMISSIONS: Refusal =
    Refusal { status: StatusCode::UNAUTHORIZED, ..NO_MEMBER_OF_ORGANIZATION };
pub const MAY_NOT_UPDATE: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_ORGANIZATION",
    "You are not allowed to update this organization",
);
pub const MAY_NOT_DELETE: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_ORGANIZATION",
    "You are not allowed to delete this organization",
);
pub const DELETION_DISABLED: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "ORGANIZATION_DELETION_DISABLED",
    "Organization deletion is disabled",
);
pub const NO_ACTIVE_ORGANIZATION: Refusal =
    bad_request("NO_ACTIVE_ORGANIZATION", "No active organization");
pub const NOT_A_MEMBER: Refusal = forbidden(
    "YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION",
    "You are not a member of this organization",
);
pub const NOT_A_MEMBER_WITHOUT_CODE: Refusal =
    Refusal::without_code(StatusCode::FORBIDDEN, "You are not a member of this organization");

pub const MEMBER_NOT_FOUND: Refusal = bad_request("MEMBER_NOT_FOUND", "Member not found");
pub const ONLY_OWNER: Refusal = bad_request(
    "YOU_CANNOT_LEAVE_THE_ORGANIZATION_AS_THE_ONLY_OWNER",
    "You cannot leave the organization as the only owner",
);
pub const WITHOUT_AN_OWNER: Refusal = bad_request(
    "YOU_CANNOT_LEAVE_THE_ORGANIZATION_WITHOUT_AN_OWNER",
    "You cannot leave the organization without an owner",
);
pub const MAY_NOT_REMOVE_MEMBER: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_MEMBER",
    "You are not allowed to delete this member",
);
pub const MAY_NOT_UPDATE_MEMBER: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_MEMBER",
    "You are not allowed to update this member",
);
pub const MEMBERSHIP_LIMIT: Refusal =
    forbidden("ORGANIZATION_MEMBERSHIP_LIMIT_REACHED", "Organization membership limit reached");

pub const INVALID_EMAIL: Refusal = bad_request("INVALID_EMAIL", "Invalid email");
pub const MAY_NOT_INVITE: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_INVITE_USERS_TO_THIS_ORGANIZATION",
    "You are not allowed to invite users to this organization",
);
pub const MAY_NOT_INVITE_WITH_ROLE: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_INVITE_USER_WITH_THIS_ROLE",
    "You are not allowed to invite a user with this role",
);
pub const ALREADY_A_MEMBER: Refusal = bad_request(
    "USER_IS_ALREADY_A_MEMBER_OF_THIS_ORGANIZATION",
    "User is already a member of this organization",
);
pub const ALREADY_INVITED: Refusal = bad_request(
    "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION",
    "User is already invited to this organization",
);
pub const INVITATION_LIMIT: Refusal =
    forbidden("INVITATION_LIMIT_REACHED", "Invitation limit reached");
pub const INVITATION_NOT_FOUND: Refusal =
    bad_request("INVITATION_NOT_FOUND", "Invitation not found");
/// Declining says it with more emphasis.
pub const NO_INVITATION_TO_REJECT: Refusal =
    bad_request("INVITATION_NOT_FOUND", "Invitation not found!");
pub const NOT_THE_RECIPIENT: Refusal = forbidden(
    "YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION",
    "You are not the recipient of the invitation",
);
pub const VERIFY_BEFORE_ANSWERING: Refusal = forbidden(
    "EMAIL_VERIFICATION_REQUIRED_BEFORE_ACCEPTING_OR_REJECTING_INVITATION",
    "Email verification required before accepting or rejecting invitation",
);
pub const VERIFY_BEFORE_READING: Refusal = forbidden(
    "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION",
    "Email verification required to view or list invitations for the session email",
);
pub const MAY_NOT_CANCEL: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_CANCEL_THIS_INVITATION",
    "You are not allowed to cancel this invitation",
);
pub const MAY_NOT_LIST_INVITATIONS: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_LIST_INVITATIONS",
    "You are not allowed to list invitations for this organization",
);
pub const INVITER_LEFT: Refusal = bad_request(
    "INVITER_IS_NO_LONGER_A_MEMBER_OF_THE_ORGANIZATION",
    "Inviter is no longer a member of the organization",
);
pub const ORGANIZATION_ID_REQUIRED: Refusal =
    Refusal::without_code(StatusCode::BAD_REQUEST, "Organization ID is required");
pub const EMAIL_NOT_FOR_CLIENTS: Refusal = Refusal::without_code(
    StatusCode::BAD_REQUEST,
    "User email cannot be passed for client side API calls.",
);
pub const WHOSE_INVITATIONS: Refusal = Refusal::without_code(
    StatusCode::BAD_REQUEST,
    "Missing session headers, or email query parameter.",
);

pub const TEAM_NOT_FOUND: Refusal = bad_request("TEAM_NOT_FOUND", "Team not found");
pub const INVALID_TEAM_ID: Refusal =
    bad_request("INVALID_TEAM_ID", "Team id contains a reserved character");
pub const TEAM_MEMBER_LIMIT: Refusal =
    forbidden("TEAM_MEMBER_LIMIT_REACHED", "Team member limit reached");
pub const TOO_MANY_TEAMS: Refusal = bad_request(
    "YOU_HAVE_REACHED_THE_MAXIMUM_NUMBER_OF_TEAMS",
    "You have reached the maximum number of teams",
);
pub const MAY_NOT_CREATE_TEAMS: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_CREATE_TEAMS_IN_THIS_ORGANIZATION",
    "You are not allowed to create teams in this organization",
);
pub const MAY_NOT_DELETE_TEAMS: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_DELETE_TEAMS_IN_THIS_ORGANIZATION",
    "You are not allowed to delete teams in this organization",
);
pub const MAY_NOT_DELETE_TEAM: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_DELETE_THIS_TEAM", "You are not allowed to delete this team");
pub const MAY_NOT_UPDATE_TEAM: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_UPDATE_THIS_TEAM", "You are not allowed to update this team");
pub const MAY_NOT_LIST_TEAMS: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_ACCESS_THIS_ORGANIZATION",
    "You are not allowed to access this organization as an owner",
);
pub const LAST_TEAM: Refusal =
    bad_request("UNABLE_TO_REMOVE_LAST_TEAM", "Unable to remove last team");
pub const NOT_IN_TEAM: Refusal =
    bad_request("USER_IS_NOT_A_MEMBER_OF_THE_TEAM", "User is not a member of the team");
pub const NOT_IN_TEAM_TO_ACTIVATE: Refusal =
    Refusal { status: StatusCode::FORBIDDEN, ..NOT_IN_TEAM };
pub const NO_ACTIVE_TEAM: Refusal =
    bad_request("YOU_DO_NOT_HAVE_AN_ACTIVE_TEAM", "You do not have an active team");
pub const MAY_NOT_ADD_TO_TEAM: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_CREATE_A_NEW_TEAM_MEMBER",
    "You are not allowed to create a new member",
);
pub const MAY_NOT_REMOVE_FROM_TEAM: Refusal = forbidden(
    "YOU_ARE_NOT_ALLOWED_TO_REMOVE_A_TEAM_MEMBER",
    "You are not allowed to remove a team member",
);

pub const ROLE_NOT_FOUND: Refusal = bad_request("ROLE_NOT_FOUND", "Role not found");
pub const NO_ORGANIZATION_FOR_ROLE: Refusal = bad_request(
    "YOU_MUST_BE_IN_AN_ORGANIZATION_TO_CREATE_A_ROLE",
    "You must be in an organization to create a role",
);
pub const MAY_NOT_CREATE_ROLE: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_CREATE_A_ROLE", "You are not allowed to create a role");
pub const MAY_NOT_UPDATE_ROLE: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_UPDATE_A_ROLE", "You are not allowed to update a role");
pub const MAY_NOT_DELETE_ROLE: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_DELETE_A_ROLE", "You are not allowed to delete a role");
pub const MAY_NOT_READ_ROLE: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_READ_A_ROLE", "You are not allowed to read a role");
pub const MAY_NOT_LIST_ROLES: Refusal =
    forbidden("YOU_ARE_NOT_ALLOWED_TO_LIST_A_ROLE", "You are not allowed to list a role");
pub const TOO_MANY_ROLES: Refusal =
    bad_request("TOO_MANY_ROLES", "This organization has too many roles");
pub const INVALID_RESOURCE: Refusal =
    bad_request("INVALID_RESOURCE", "The provided permission includes an invalid resource");
pub const ROLE_NAME_TAKEN: Refusal =
    bad_request("ROLE_NAME_IS_ALREADY_TAKEN", "That role name is already taken");
/// Gatepost's own: a name with a comma would be read as several.
pub const INVALID_ROLE_NAME: Refusal =
    bad_request("INVALID_ROLE_NAME", "A role name has 1 to 64 characters and no comma");
pub const PREDEFINED_ROLE: Refusal =
    bad_request("CANNOT_DELETE_A_PRE_DEFINED_ROLE", "Cannot delete a pre-defined role");
pub const ROLE_IN_USE: Refusal = bad_request(
    "ROLE_IS_ASSIGNED_TO_MEMBERS",
    "Cannot delete a role that is assigned to members. Please reassign the members to a different role first",
);
