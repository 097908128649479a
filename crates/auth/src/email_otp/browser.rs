//! Codes that are good in the browser alone that asked for them, where the configuration wants it so (OT-07).

use gatepost_protocol::cookie::{Opened, open};

use crate::{app::App, http::Call, verification::code::Slot};

/// The browser that asks for a code, whoever gets it.
pub(super) fn mark(app: &App, call: &Call, slot: &Slot) {
    let config = &app.config.email_otp;
    if !config.same_browser {
        return;
    }
    let (secret, lifetime) = (app.config.secret.as_bytes(), i64::from(config.expires_in));
    let cookie =
        call.mount.cookies.set_signed(&name(call, slot), &value(slot), secret, Some(lifetime));
    call.aside.cookies([cookie]);
}

/// Whether this browser may use a code.
pub(super) fn may_use(app: &App, call: &Call, slot: &Slot) -> bool {
    let cookies = call.cookies();
    let presented = cookies.get(&name(call, slot));
    let marked = |secret: &[u8]| matches!(open(secret, &presented), Opened::Valid(text) if text == value(slot));
    !app.config.email_otp.same_browser
        || app.config.secrets().any(|secret| marked(secret.as_bytes()))
}

/// One cookie for each slot, as several codes may be on their way.
fn name(call: &Call, slot: &Slot) -> String {
    let digest = slot.digest();
    call.mount.cookies.names.named(&format!("otp_{}", digest.get(..12).unwrap_or_default()))
}

/// The signature covers the purpose too.
fn value(slot: &Slot) -> String {
    format!("otp:{}", slot.digest())
}
