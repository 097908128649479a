//! Organizations as their members, strangers and attackers see them.

mod core;
mod deletion;
mod invitations;
mod limits;
mod matrix;
mod own_roles;
mod owners;
mod tenants;
pub(crate) mod world;
