//! The two calls of GitHub's API that a sign-in needs: GitHub is no OpenID provider.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{
    Failure, Provider,
    userinfo::{bearer, is_verified, shares_email},
};

/// `GET /user`.
pub(crate) async fn user(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let issuer = provider.issuer(provider.brand(&brand)?);
    Ok(match bearer(&provider, &brand, &headers) {
        Ok(consent) => {
            let account = &consent.account;
            // The address on the profile is proven, or GitHub shows none.
            let shown = shares_email(&consent) && is_verified(&consent);
            let email = if shown { account.email.as_str().into() } else { Value::Null };
            Json(json!({
                "id": account.subject(),
                "login": account.login(),
                "name": account.name,
                "email": email,
                "avatar_url": account.picture(&issuer),
                "type": "User",
            }))
            .into_response()
        }
        Err(denied) => denied.into_response(),
    })
}

/// `GET /user/emails`.
pub(crate) async fn emails(
    State(provider): State<Provider>,
    Path(brand): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    provider.brand(&brand)?;
    Ok(match bearer(&provider, &brand, &headers) {
        Ok(consent) if shares_email(&consent) => Json(json!([{
            "email": consent.account.email,
            "primary": true,
            "verified": is_verified(&consent),
            "visibility": "private",
        }]))
        .into_response(),
        Ok(_) => Json(json!([])).into_response(),
        Err(denied) => denied.into_response(),
    })
}
