//! The claims of a token: the user as of now, bound to this server.

use gatepost_protocol::body::{Shown, User};
use serde::Serialize;

use super::{RoleClaim, ring::Ring};
use crate::{
    app::App,
    error::{Error, Result},
    http::Call,
    session::{ActiveOrganization, Current},
};

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    #[serde(flatten)]
    user: Shown<'a, User>,
    sub: &'a uuid::Uuid,
    exp: i64,
    iss: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<Organization<'a>>,
    /// OpenID Connect's name for the session's id. It opens nothing: the session's token does.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<uuid::Uuid>,
    /// RFC 8693: who acts, when it is not the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
}

#[derive(Serialize)]
struct Organization<'a> {
    id: &'a uuid::Uuid,
    slug: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

/// A token for the caller, signed now.
///
/// # Errors
/// Internal, when the claims cannot be signed.
pub fn session_token(app: &App, call: &Call, ring: &Ring, caller: &Current) -> Result<String> {
    let signed_in = &caller.signed_in;
    let issued = call.now.timestamp();
    let mut features = app.features;
    let user = match app.config.jwt.role {
        RoleClaim::User => None,
        RoleClaim::Authenticated => {
            // The Data API takes its database role from this claim: it is there even without the admin feature.
            features.admin = true;
            Some(User { role: Some("authenticated".to_owned()), ..signed_in.user.clone() })
        }
    };
    let claims = Claims {
        iat: issued,
        user: user.as_ref().unwrap_or(&signed_in.user).shown(features),
        sub: &signed_in.user.id,
        exp: issued + i64::from(app.config.jwt.expires_in),
        iss: &app.issuer,
        aud: &app.audience,
        o: signed_in.organization.as_ref().map(organization),
        sid: app.config.jwt.session_id.then_some(signed_in.session.id),
        act: signed_in.session.impersonated_by.as_deref().map(|sub| Actor { sub }),
    };
    ring.signing.sign(&claims).map_err(|error| Error::Internal(error.into()))
}

fn organization(active: &ActiveOrganization) -> Organization<'_> {
    Organization { id: &active.id, slug: &active.slug, role: &active.role }
}
