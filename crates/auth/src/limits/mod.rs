//! Rate limits: exact under concurrency, over every replica.
