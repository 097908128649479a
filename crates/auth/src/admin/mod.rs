//! Administration: users, their roles, bans, sessions and passwords, and acting as one of them.
//!
//! Who may do what is read from the database at every call: a demotion or a ban counts from that moment. Bans shut every
//! door, because each session begins and is read under them. At least one administrator stays. Whatever is done here is
//! written to the audit table with both identities. The first administrator is made by `gatepost user create --admin`.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod access;
pub mod accounts;
mod bans;
mod create_user;
mod deeds;
mod has_permission;
mod impersonation;
mod list_users;
mod passwords;
mod patch;
mod roles;
mod sessions;
pub mod store;
#[cfg(test)]
mod tests;
mod users;

pub use access::{is_admin, may, roles as configured_roles};
pub use deeds::Deed;
pub(crate) use impersonation::is_withheld;
pub(crate) use roles::keep_one_admin;

use crate::{config::Config as Whole, error::Refusal, http::Endpoint};

/// Administration of users.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Roles that make an administrator: not to be acted as, and the last of them stays.
    pub admin_roles: Vec<String>,
    /// Ids of users who may do everything here, whatever their role.
    pub user_ids: Vec<Uuid>,
    /// What each role may do: resource to actions. Empty: `admin` and `user`, as in Better Auth; else no other role can be given.
    pub roles: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Seconds for which an administrator may act as a user; an hour at most.
    pub impersonation_expires_in: u32,
    /// Administrators may act as other administrators.
    pub impersonate_admins: bool,
    /// Reason of a ban for which none is given.
    pub ban_reason: String,
    /// Seconds after which a ban ends for which no time is given; 0: never.
    pub ban_expires_in: u32,
    /// Removing a user, setting a password and acting as a user need a session that began not long ago.
    pub fresh_session: bool,
    /// The last administrator may be demoted, banned or removed, as in Better Auth.
    pub last_admin_may_go: bool,
    /// Users are created with any password, as in Better Auth: neither short nor common ones are refused.
    pub any_password: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            admin_roles: vec!["admin".to_owned()],
            user_ids: Vec::new(),
            roles: BTreeMap::new(),
            impersonation_expires_in: 60 * 60,
            impersonate_admins: false,
            ban_reason: "No reason".to_owned(),
            ban_expires_in: 0,
            fresh_session: true,
            last_admin_may_go: false,
            any_password: false,
        }
    }
}

impl Config {
    /// How long an administrator may act as a user.
    #[must_use]
    pub fn impersonation(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.impersonation_expires_in)).min(TimeDelta::hours(1))
    }
}

/// Better Auth names no code here.
const NOBODY: Refusal = Refusal::bare(StatusCode::UNAUTHORIZED);
const USER_NOT_FOUND: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "USER_NOT_FOUND", "User not found");
const INVALID_EMAIL: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "INVALID_EMAIL", "Invalid email");
const EMAIL_TAKEN: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
    "User already exists. Use another email.",
);
const BAN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS",
    "You are not allowed to ban users",
);
const SET_ROLE: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE",
    "You are not allowed to change users role",
);
const BAN_YOURSELF: Refusal =
    Refusal::new(StatusCode::BAD_REQUEST, "YOU_CANNOT_BAN_YOURSELF", "You cannot ban yourself");

/// The endpoints.
pub(crate) fn endpoints(config: &Whole) -> Vec<Endpoint> {
    if !config.features.admin {
        return Vec::new();
    }
    let mut endpoints = roles::endpoints();
    endpoints.extend(create_user::endpoints());
    endpoints.extend(users::endpoints());
    endpoints.extend(bans::endpoints());
    endpoints.extend(passwords::endpoints());
    endpoints.extend(list_users::endpoints());
    endpoints.extend(sessions::endpoints());
    endpoints.extend(impersonation::endpoints());
    endpoints.extend(has_permission::endpoints());
    endpoints
}
