//! Password hashes: the formats Gatepost writes and those it can take over.
