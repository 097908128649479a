//! The migrations of schema `neon_auth`, in the order in which they run.

use aws_lc_rs::digest::{SHA256, digest};

/// One forward-only change of the schema. Never edited once landed: its checksum is in every database it ran in.
#[derive(Debug)]
pub struct Migration {
    /// Position in the order; gaps are fine.
    pub number: i32,
    /// The file's name without number and extension.
    pub name: &'static str,
    /// What runs, in one transaction.
    pub sql: &'static str,
}

impl Migration {
    /// The file's name without extension, as people see it: `0001_ground`.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.number, self.name)
    }

    /// SHA-256 of the SQL in hexadecimal, the same whatever line ends the checkout has.
    #[must_use]
    pub fn checksum(&self) -> String {
        hex::encode(digest(&SHA256, self.sql.replace("\r\n", "\n").as_bytes()))
    }
}

pub(super) fn title(number: i32, name: &str) -> String {
    format!("{number:04}_{name}")
}

macro_rules! migration {
    ($number:literal, $file:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $file, $name, ".sql")),
        }
    };
}

/// Every migration, ascending. A new file needs a line here and a new `snapshot.txt`; a test names what is missing.
pub const ALL: &[Migration] = &[
    migration!(1, "0001_", "ground"),
    migration!(2, "0002_", "organization"),
    migration!(3, "0003_", "audit"),
    migration!(4, "0004_", "project_config"),
    migration!(5, "0005_", "views"),
    migration!(10, "0010_", "mail"),
    migration!(11, "0011_", "limits"),
    migration!(20, "0020_", "two_factor"),
    migration!(21, "0021_", "session_proof"),
    migration!(22, "0022_", "passkey"),
    migration!(24, "0024_", "guests"),
    migration!(30, "0030_", "device"),
    migration!(31, "0031_", "mail_language"),
    migration!(40, "0040_", "identity_index"),
    migration!(50, "0050_", "team"),
    migration!(51, "0051_", "team_member"),
    migration!(52, "0052_", "organization_role"),
    migration!(53, "0053_", "membership_index"),
    migration!(60, "0060_", "admin"),
    migration!(61, "0061_", "api_key"),
    migration!(62, "0062_", "row_level_security"),
    migration!(80, "0080_", "users_sync"),
    migration!(81, "0081_", "default_organization"),
];

/// Tells sets of migrations apart: names the template that test databases are cloned from.
#[must_use]
pub fn fingerprint() -> String {
    ALL.iter().map(Migration::checksum).collect::<Vec<_>>().join(" ")
}

/// The table that remembers which migrations ran. Made before the first one.
pub(super) const LEDGER: &str = include_str!("../../migrations/ledger.sql");
