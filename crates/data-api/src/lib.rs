//! PostgREST's protocol over Row Level Security, in one round trip.
//!
//! A request is a pipeline of values: verify, parse, plan, render, execute, respond. All but `execute` are pure.

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
pub mod openapi;
pub mod plan;
mod refused;
pub mod request;
pub mod respond;
mod run;
pub mod schema;
mod server;
pub mod sql;
mod state;
pub mod types;
pub mod verify;

pub use administration::{Administration, administration};
pub use config::{Config, DoorSettings, RoleLimits};
pub use door::{Check, Door, KeySource, NeonDoor};
pub use handle::handle;
pub use jwks::{keep_fresh as keep_keys_fresh, refresh as refresh_keys};
pub use login::{Login, LoginError, login};
pub use run::{ConfigSource, RunError, keep_loaded, reload, run};
pub use server::{admin_router, router};
pub use state::State;
