//! What is to be said beside the answer, whichever it becomes: cookies of a dead session, the reason why nobody is signed in.

use std::sync::{Mutex, PoisonError};

use gatepost_protocol::cookie::SetCookie;

use crate::session::Reason;

/// Written by the guards, read once by the pipeline, also when the endpoint refuses.
#[derive(Debug, Default)]
pub struct Aside(Mutex<Said>);

/// What was said.
#[derive(Debug, Default)]
pub struct Said {
    /// Why nobody is signed in.
    pub reason: Option<Reason>,
    /// Cookies to send before those of the answer.
    pub cookies: Vec<SetCookie>,
    /// Cookies that take the place of those of the same name.
    pub instead: Option<Vec<SetCookie>>,
}

impl Aside {
    /// Tells why nobody is signed in.
    pub fn reason(&self, reason: Reason) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reason = Some(reason);
    }

    /// Sends these cookies, whatever the answer.
    pub fn cookies(&self, cookies: impl IntoIterator<Item = SetCookie>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cookies.extend(cookies);
    }

    /// Sends these cookies in place of those of the same name.
    pub fn cookies_instead(&self, cookies: Vec<SetCookie>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).instead = Some(cookies);
    }

    /// Takes what was said.
    pub fn take(&self) -> Said {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
