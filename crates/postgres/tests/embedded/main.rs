//! The embedded cluster, seen from outside: every way in which one of its processes can die, and who may run it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod binaries;
mod crashes;
mod rights;
mod server;
mod sharing;
mod users;
