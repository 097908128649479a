//! Users who must have a second factor and have none: they are told so, and can set one up and nothing else.

use http::StatusCode;

use super::store;
use crate::{
    app::{App, connection},
    error::{Refusal, Result},
    http::Call,
    session::SignedIn,
};

const REQUIRED: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "TWO_FACTOR_REQUIRED",
    "A second factor must be set up first",
);

/// What can be done until then, beside what takes no session.
const OPEN: [&str; 2] = ["/two-factor/", "/verify-password"];

/// Whether somebody who is signed in must set a second factor up. Costs nothing unless a setting demands one.
///
/// # Errors
/// Those of Postgres.
pub(crate) async fn is_owed(app: &App, signed_in: &SignedIn) -> Result<bool> {
    let config = &app.config.two_factor;
    let user = &signed_in.user;
    let impersonated = signed_in.session.impersonated_by.is_some();
    if !config.enabled || impersonated || user.two_factor_enabled == Some(true) {
        return Ok(false);
    }
    let roles = user.role.as_deref().unwrap_or_default();
    if roles.split(',').any(|role| config.required_for_roles.iter().any(|wanted| wanted == role)) {
        return Ok(true);
    }
    let organizations = &config.required_in_organizations;
    if organizations.is_empty() && !config.organizations_decide {
        return Ok(false);
    }
    let conn = connection(app).await?;
    store::is_demanded(&conn, user.id, organizations, config.organizations_decide).await
}

/// Lets nobody past who owes a second factor, except to set it up.
///
/// # Errors
/// `TWO_FACTOR_REQUIRED`.
pub(crate) async fn demand(app: &App, call: &Call, signed_in: &SignedIn) -> Result<()> {
    if OPEN.iter().any(|open| call.path.starts_with(open)) || !is_owed(app, signed_in).await? {
        return Ok(());
    }
    Err(REQUIRED.into())
}
