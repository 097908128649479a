//! What a developer of Gatepost runs.

fn main() {}
