//! The `neon_auth` schema: migrations, drift, roles.
