//! Who may do what: the roles of the configuration, and the caller's standing at this moment.

use gatepost_protocol::body::User;
use uuid::Uuid;

use super::{Config, NOBODY, USER_NOT_FOUND};
use crate::{
    app::App,
    error::{Refusal, Result},
    http::Call,
    permissions::{self, Predefined, Roles, Statements},
    session::{self, Current},
};

/// Better Auth's own roles. Nobody may act as an administrator by default.
const PREDEFINED: &[Predefined] = &[
    (
        "admin",
        &[
            (
                "user",
                &[
                    "create",
                    "list",
                    "set-role",
                    "ban",
                    "impersonate",
                    "delete",
                    "set-password",
                    "set-email",
                    "set-phone",
                    "get",
                    "update",
                ],
            ),
            ("session", &["list", "revoke", "delete"]),
        ],
    ),
    ("user", &[("user", &[]), ("session", &[])]),
];
/// The role of a user who has none.
pub(super) const DEFAULT_ROLE: &str = "user";

/// The roles of a configuration, and what each may do.
#[must_use]
pub fn roles(config: &Config) -> Roles {
    if config.roles.is_empty() {
        return Roles::predefined(PREDEFINED);
    }
    let mut roles = Roles::default();
    for (role, statements) in &config.roles {
        roles.define(role, statements.clone());
    }
    roles
}

/// A user's roles as Better Auth reads them: a space after a comma belongs to the name.
fn roles_of(user: &User) -> impl Iterator<Item = &str> {
    user.role.as_deref().filter(|roles| !roles.is_empty()).unwrap_or(DEFAULT_ROLE).split(',')
}

/// Whether a user may do all that is asked.
#[must_use]
pub fn may(app: &App, user: &User, asked: &Statements) -> bool {
    app.config.admin.user_ids.contains(&user.id)
        || roles_of(user)
            .filter(|role| role.trim() == *role)
            .any(|role| permissions::allow(&[&app.admin_roles], role, asked))
}

/// Whether a user is an administrator, banned or not.
#[must_use]
pub fn is_admin(config: &Config, user: &User) -> bool {
    config.user_ids.contains(&user.id)
        || roles_of(user).any(|role| config.admin_roles.iter().any(|admin| admin == role.trim()))
}

/// Whether a user may do one thing to users or sessions.
pub(super) fn may_do(app: &App, user: &User, resource: &str, action: &str) -> bool {
    may(app, user, &Statements::from([(resource.to_owned(), vec![action.to_owned()])]))
}

/// The caller, read from the database now, if that is an administrator who may do this.
///
/// # Errors
/// An empty 401; `refusal`.
pub(super) async fn caller(
    app: &App,
    call: &Call,
    (resource, action): (&str, &str),
    refusal: Refusal,
) -> Result<Current> {
    let caller = session::current(app, call).await?.ok_or(NOBODY)?;
    demand(app, &caller, (resource, action), refusal)?;
    Ok(caller)
}

/// Asks for one more permission.
///
/// # Errors
/// `refusal`.
pub(super) fn demand(
    app: &App,
    caller: &Current,
    (resource, action): (&str, &str),
    refusal: Refusal,
) -> Result<()> {
    if may_do(app, &caller.signed_in.user, resource, action) { Ok(()) } else { Err(refusal.into()) }
}

/// Asks for a session that began not long ago, before what cannot be undone (AD-15).
///
/// # Errors
/// `SESSION_NOT_FRESH`.
pub(super) fn demand_fresh(app: &App, call: &Call, caller: &Current) -> Result<()> {
    if !app.config.admin.fresh_session || caller.is_fresh(app, call) {
        return Ok(());
    }
    Err(session::SESSION_NOT_FRESH.into())
}

/// The id of a user; what is none belongs to nobody.
///
/// # Errors
/// `USER_NOT_FOUND`.
pub(super) fn user_id(text: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(text).map_err(|_| USER_NOT_FOUND)?)
}
