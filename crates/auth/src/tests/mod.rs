//! What users see, feature by feature; and what attackers see, by the areas of the attack list.

mod ad;
mod core;
mod cs;
mod en;
pub(crate) mod idp;
mod jw;
mod lg;
mod list;
mod ml;
mod neon;
mod oa;
mod ot;
mod owned;
mod pw;
pub(crate) mod rd;
mod requests;
mod rl;
mod se;
mod surface;
mod world;
