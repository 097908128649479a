//! The Data API against a database of its own per test.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod advice;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod support;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod types;
