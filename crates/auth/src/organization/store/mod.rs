//! The SQL of organizations, a file per table. Whatever counts against a limit, or takes an owner away, happens while
//! the organization's row is locked ([`organizations::lock`]), and is judged by what is read after the lock was got.

pub mod invitations;
pub mod members;
pub mod organizations;
pub mod roles;
pub mod teams;
