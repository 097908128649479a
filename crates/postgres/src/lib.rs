//! Reaching Postgres: pools, the embedded development server, databases for tests.
