//! Cookies: reading them, signing them as Better Auth does, and writing `Set-Cookie`.

mod names;
mod parse;
mod set;
mod signed;

pub use names::{CookieProfile, Names};
pub use parse::{Cookies, Presented};
pub use set::{SameSite, SetCookie};
pub use signed::{Opened, open, sign, sign_plain, verify};

#[cfg(test)]
mod tests;
