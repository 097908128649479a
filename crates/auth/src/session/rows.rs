//! Sessions as the database holds them, and what is read beside them.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use super::StoredToken;
use crate::{
    error::Result,
    user::{self, User},
};

/// A row of `neon_auth.session`.
#[derive(Clone, Debug)]
pub struct Session {
    /// Row id: the handle by which a user names one of the own sessions.
    pub id: Uuid,
    /// As stored.
    pub token: StoredToken,
    /// Whose.
    pub user_id: Uuid,
    /// End, unless renewed.
    pub expires_at: DateTime<Utc>,
    /// Sign-in: freshness counts from here, not from a renewal (SE-20).
    pub created_at: DateTime<Utc>,
    /// Last renewal.
    pub updated_at: DateTime<Utc>,
    /// Address at sign-in; empty: unknown.
    pub ip_address: Option<String>,
    /// Browser at sign-in.
    pub user_agent: Option<String>,
    /// The administrator behind it.
    pub impersonated_by: Option<String>,
    /// The organization last chosen.
    pub active_organization_id: Option<String>,
    /// The team last chosen.
    pub active_team_id: Option<String>,
    /// The last time since sign-in that its user proved to be the same: counts for freshness as a sign-in does.
    pub proven_at: Option<DateTime<Utc>>,
}

/// The active organization of a session, when its user is still a member.
#[derive(Clone, Debug)]
pub struct ActiveOrganization {
    /// Row id.
    pub id: Uuid,
    /// Its short name.
    pub slug: String,
    /// The member's role.
    pub role: String,
}

/// A session with what every request needs to know beside it.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// For the token's `o` claim.
    pub organization: Option<ActiveOrganization>,
}

macro_rules! session_columns {
    () => {
        r#"s.id, s.token, s."userId", s."expiresAt", s."createdAt", s."updatedAt", s."ipAddress", s."userAgent", s."impersonatedBy", s."activeOrganizationId", s."activeTeamId", s.gatepost_proven_at"#
    };
}

pub(crate) use session_columns;

/// Columns of `session_columns!`.
const COUNT_IN_COLUMNS: usize = 12;

/// A row of `session_columns!`.
pub(crate) fn session(row: &Row) -> Result<Session> {
    Ok(Session {
        id: row.try_get(0)?,
        token: StoredToken(row.try_get(1)?),
        user_id: row.try_get(2)?,
        expires_at: row.try_get(3)?,
        created_at: row.try_get(4)?,
        updated_at: row.try_get(5)?,
        ip_address: row.try_get(6)?,
        user_agent: row.try_get(7)?,
        impersonated_by: row.try_get(8)?,
        active_organization_id: row.try_get(9)?,
        active_team_id: row.try_get(10)?,
        proven_at: row.try_get(11)?,
    })
}

/// A row of a look-up: session, user, active organization.
pub(super) fn signed_in(row: &Row) -> Result<SignedIn> {
    let after_user = COUNT_IN_COLUMNS + user::COLUMNS;
    let organization = match (
        row.try_get::<_, Option<Uuid>>(after_user)?,
        row.try_get::<_, Option<String>>(after_user + 1)?,
        row.try_get::<_, Option<String>>(after_user + 2)?,
    ) {
        (Some(id), Some(slug), Some(role)) => Some(ActiveOrganization { id, slug, role }),
        _ => None,
    };
    Ok(SignedIn {
        session: session(row)?,
        user: user::from_row(row, COUNT_IN_COLUMNS)?,
        organization,
    })
}
