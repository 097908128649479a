//! The wire of Better Auth and Neon Auth, without I/O: cookies, tokens, keys, bodies.
