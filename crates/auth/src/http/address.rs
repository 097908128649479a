//! Which address a request came from.
