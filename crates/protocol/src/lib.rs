//! The wire of Better Auth and Neon Auth, without I/O: cookies, tokens, keys, bodies.
#![warn(missing_docs, unreachable_pub)]

pub mod authorization;
pub mod body;
pub mod cookie;
pub mod cookie_cache;
pub mod digest;
pub mod hs256;
pub mod jwk;
mod jws;
pub mod jwt;
pub mod random;
pub mod sealed;
pub mod secret;
pub mod totp;
