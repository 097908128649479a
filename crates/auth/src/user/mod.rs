//! Users: the row, what the wire shows of it, and what a user may change.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use crate::{error::Result, http::Endpoint};

pub mod change_email;
pub mod delete_user;
mod email;
mod language;
pub(crate) mod proven;
pub mod store;
pub mod update_user;

pub use change_email::Config as ChangeEmailConfig;
pub use delete_user::Config as DeleteUserConfig;
pub use email::Email;

pub use gatepost_protocol::body::User;

/// Number of columns that [`columns!`] names.
pub(crate) const COLUMNS: usize = 18;

macro_rules! columns {
    () => {
        r#"u.id, u.name, u.email, u."emailVerified", u.image, u."createdAt", u."updatedAt", u.role, u.banned, u."banReason", u."banExpires", u."phoneNumber", u."phoneNumberVerified", u.username, u."displayUsername", u."isAnonymous", u."twoFactorEnabled", u."lastLoginMethod""#
    };
}
pub(crate) use columns;

/// The user in the columns from `first` on, in the order of [`columns!`].
pub(crate) fn from_row(row: &Row, first: usize) -> Result<User> {
    Ok(User {
        id: row.try_get(first)?,
        name: row.try_get(first + 1)?,
        email: row.try_get(first + 2)?,
        email_verified: row.try_get(first + 3)?,
        image: row.try_get(first + 4)?,
        created_at: row.try_get(first + 5)?,
        updated_at: row.try_get(first + 6)?,
        role: row.try_get(first + 7)?,
        banned: row.try_get(first + 8)?,
        ban_reason: row.try_get(first + 9)?,
        ban_expires: row.try_get(first + 10)?,
        phone_number: row.try_get(first + 11)?,
        phone_number_verified: row.try_get(first + 12)?,
        username: row.try_get(first + 13)?,
        display_username: row.try_get(first + 14)?,
        is_anonymous: row.try_get(first + 15)?,
        two_factor_enabled: row.try_get(first + 16)?,
        last_login_method: row.try_get(first + 17)?,
    })
}

/// Shut out at this moment.
#[must_use]
pub fn is_banned(user: &User, now: DateTime<Utc>) -> bool {
    user.banned == Some(true) && user.ban_expires.is_none_or(|end| end > now)
}

/// The endpoints.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints =
        vec![update_user::endpoint(), change_email::endpoint(), language::endpoint()];
    endpoints.extend(delete_user::endpoints());
    endpoints
}
