//! Accounts: the ways in that a user has. A password is the account of provider `credential`.

pub mod identities;
pub mod routes;
pub mod store;

pub use store::{Credential, Handle};
