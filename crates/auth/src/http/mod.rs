//! The frame around every request: body, origin, client address, request id.

pub mod address;
pub mod origin;
