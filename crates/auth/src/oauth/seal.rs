//! Provider tokens at rest: sealed (OA-28), in the form that Better Auth's `encryptOAuthTokens` writes.

use super::exchange::Tokens;
use crate::{account::identities::Sealed, app::App, session::TokenStorage};

/// Tokens as they are stored.
pub(super) fn seal(app: &App, tokens: &Tokens) -> Sealed {
    let sealed =
        |token: &Option<String>| token.as_ref().map(|token| app.sealer.seal(token.as_bytes()));
    Sealed {
        access: sealed(&tokens.access),
        refresh: sealed(&tokens.refresh),
        // A Better Auth process on the same database reads id tokens as they are.
        id: match app.config.session.token_storage {
            TokenStorage::Plain => tokens.id.clone(),
            TokenStorage::Hashed => sealed(&tokens.id),
        },
        access_expires_at: tokens.access_expires_at,
        refresh_expires_at: tokens.refresh_expires_at,
        scope: (!tokens.scopes.is_empty()).then(|| tokens.scopes.join(",")),
    }
}

/// A stored token; one from before it was sealed stands as it is. `None`: sealed under a secret that is not known.
pub(super) fn open(app: &App, stored: &str) -> Option<String> {
    let is_sealed = stored.starts_with("$ba$")
        || stored.len() >= 80
            && stored.len().is_multiple_of(2)
            && stored.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_sealed {
        return Some(stored.to_owned());
    }
    String::from_utf8(app.sealer.open(stored).ok()?).ok()
}
