//! What administrators did, for the audit table: whose account it was, and who did it.

use deadpool_postgres::GenericClient;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::App,
    error::Result,
    events::{self, Event},
    http::Call,
    session::Current,
};

/// What an administrator did to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Created the user.
    Created { email: String },
    /// Set these members.
    Updated { members: Vec<String> },
    /// Set the role.
    RoleSet { role: String },
    /// Shut the user out.
    Banned { reason: String },
    /// Let the user in again.
    Unbanned,
    /// Set the password.
    PasswordSet,
    /// Removed the user.
    Removed { email: String },
    /// Ended a session.
    SessionRevoked { session: Uuid },
    /// Ended all sessions.
    SessionsRevoked,
    /// Began to act as the user.
    ImpersonationStarted { session: Uuid },
    /// Ceased to act as the user.
    ImpersonationStopped { session: Uuid },
}

impl Deed {
    /// As it stands in the audit table and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "admin-user-created",
            Self::Updated { .. } => "admin-user-updated",
            Self::RoleSet { .. } => "admin-role-set",
            Self::Banned { .. } => "admin-user-banned",
            Self::Unbanned => "admin-user-unbanned",
            Self::PasswordSet => "admin-password-set",
            Self::Removed { .. } => "admin-user-removed",
            Self::SessionRevoked { .. } => "admin-session-revoked",
            Self::SessionsRevoked => "admin-sessions-revoked",
            Self::ImpersonationStarted { .. } => "impersonation-started",
            Self::ImpersonationStopped { .. } => "impersonation-stopped",
        }
    }

    /// What it was about, without secrets, and who did it.
    #[must_use]
    pub fn details(&self, by: Uuid) -> Value {
        match self {
            Self::Created { email } | Self::Removed { email } => {
                json!({ "by": by, "email": email })
            }
            Self::Updated { members } => json!({ "by": by, "members": members }),
            Self::RoleSet { role } => json!({ "by": by, "role": role }),
            Self::Banned { reason } => json!({ "by": by, "reason": reason }),
            Self::SessionRevoked { session }
            | Self::ImpersonationStarted { session }
            | Self::ImpersonationStopped { session } => json!({ "by": by, "session": session }),
            Self::Unbanned | Self::PasswordSet | Self::SessionsRevoked => json!({ "by": by }),
        }
    }

    /// The session it was about.
    #[must_use]
    pub const fn session(&self) -> Option<Uuid> {
        match self {
            Self::SessionRevoked { session }
            | Self::ImpersonationStarted { session }
            | Self::ImpersonationStopped { session } => Some(*session),
            _ => None,
        }
    }
}

/// Records a deed in its transaction.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn record(
    app: &App,
    conn: &impl GenericClient,
    call: &Call,
    caller: &Current,
    deed: Deed,
    to: Uuid,
) -> Result<()> {
    let by = caller.signed_in.user.id;
    events::record(app, conn, call, Event::ByAdmin { deed, by }, Some(to)).await
}
