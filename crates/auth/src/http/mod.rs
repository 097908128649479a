//! The frame around every request: body, origin, client address, request id; the answer and its headers.

pub mod address;
mod answer;
mod aside;
mod body;
mod call;
mod cors;
pub mod endpoint;
pub mod fields;
mod headers;
mod mount;
pub mod origin;
mod serve;
pub mod targets;

pub use answer::Answer;
pub use aside::Aside;
pub use call::Call;
pub use endpoint::Endpoint;
pub use headers::SET_AUTH_JWT;
pub use mount::{Layout, Mount};
pub use serve::serve;
