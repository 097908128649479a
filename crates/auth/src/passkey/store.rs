//! The SQL of passkeys.

use crate::database::statements::Statement;

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[];
