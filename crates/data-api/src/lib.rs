//! PostgREST's protocol over Row Level Security, in one round trip.
//!
//! A request is a pipeline of values: verify, parse, plan, render, execute, respond. All but `execute` are pure.

mod access_log;
mod admin;
mod administration;
pub mod advise;
pub mod config;
mod cors;
pub mod door;
pub mod error;
pub mod execute;
pub mod explain_denial;
mod gate;
mod handle;
mod hints;
pub mod ident;
mod jwks;
mod login;
mod notices;
pub mod openapi;
pub mod plan;
mod refused;
mod reload;
pub mod request;
pub mod respond;
mod run;
pub mod schema;
mod server;
mod sockets;
pub mod sql;
mod state;
mod targets;
pub mod types;
pub mod verify;

pub use admin::admin_router;
pub use administration::{Administration, administration};
pub use config::{Config, DoorSettings, RoleLimits};
pub use door::{Check, Door, KeySource, NeonDoor};
pub use handle::handle;
pub use jwks::{keep_fresh as keep_keys_fresh, refresh as refresh_keys};
pub use login::{Login, LoginError, login};
pub use reload::{ConfigSource, reload};
pub use run::{RunError, keep_loaded, run};
pub use server::router;
pub use state::State;
pub use targets::Typed;
