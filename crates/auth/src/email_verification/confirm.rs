//! Who opened the link: the browser that signed up, or the owner of a mailbox whose address a stranger signed up with.
//!
//! An address that is proven lets in whoever knows the password. Where another browser opens the link, its reader is asked;
//! who says no keeps the address, and the stranger's password and sessions go (ML-16).

use gatepost_protocol::cookie::{Opened, SetCookie, open};
use uuid::Uuid;

use crate::{
    app::App,
    error::Result,
    http::{Answer, Call},
    session, system,
    user::User,
};

const COOKIE: &str = "sign_up";

/// What the reader of a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Not asked yet.
    Unasked,
    /// The one who signed up, or a program that speaks for nobody else.
    Same,
    /// Somebody else, who did not sign up.
    Another,
}

/// Marks the browser that signed up, until its user has proven the address. The signature covers the purpose too.
#[must_use]
pub(crate) fn remember_sign_up(app: &App, call: &Call, user: Uuid) -> Option<SetCookie> {
    let config = &app.config.email_verification;
    let profile = &call.mount.cookies;
    (config.enabled && config.confirm).then(|| {
        let name = profile.names.named(COOKIE);
        let lifetime = i64::from(config.expires_in);
        profile.set_signed(&name, &value(user), app.config.secret.as_bytes(), Some(lifetime))
    })
}

fn value(user: Uuid) -> String {
    format!("sign-up:{user}")
}

/// Whether this is the browser that signed up, or one in which the user is signed in.
///
/// # Errors
/// Unavailable, when the database cannot be reached.
pub(super) async fn is_own_browser(app: &App, call: &Call, user: &User) -> Result<bool> {
    let cookies = call.cookies();
    let presented = cookies.get(&call.mount.cookies.names.named(COOKIE));
    let marked = app.config.secrets().any(|secret| {
        matches!(open(secret.as_bytes(), &presented), Opened::Valid(text) if text == value(user.id))
    });
    if marked {
        return Ok(true);
    }
    let caller = session::current(app, call).await?;
    Ok(caller.is_some_and(|caller| caller.signed_in.user.id == user.id))
}

/// Asks the reader.
pub(super) fn page(app: &App, token: &str, callback_url: Option<&str>) -> Answer {
    let app_name = system::escape(&app.config.app_name);
    let hidden = |name: &str, value: &str| {
        format!("<input type=hidden name={name} value=\"{}\">", system::escape(value))
    };
    let back = callback_url.map(|url| hidden("callbackURL", url)).unwrap_or_default();
    let token = hidden("token", token);
    let text = format!(
        "<p>Somebody signed up for {app_name} with this address, in another browser.</p>\
<form method=post>{token}{back}\
<p><button name=answer value=mine autofocus>It was me</button> \
<button name=answer value=not-mine>It was not me</button></form>\
<p class=quiet>If it was not you, the password that was chosen is removed and nobody can sign in with it.</p>"
    );
    Answer::html(system::page("Did you sign up?", &text))
}

/// Tells somebody else that the stranger is shut out.
pub(super) fn shut_out(app: &App) -> Answer {
    let text = format!(
        "<p>Nobody can sign in to {} with the password that was chosen. To use the account, ask for a new \
password on its sign-in page.</p>",
        system::escape(&app.config.app_name)
    );
    Answer::html(system::page("The address is yours alone", &text))
}
