//! The bodies of the wire: user, session, error.

mod timestamp;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use uuid::Uuid;

pub use timestamp::Timestamp;

/// Which features are on: their members exist in bodies, others' do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `role`, `banned`, `banReason`, `banExpires`; `impersonatedBy`.
    pub admin: bool,
    /// `activeOrganizationId`.
    pub organization: bool,
    /// `activeTeamId`.
    pub teams: bool,
    /// `phoneNumber`, `phoneNumberVerified`.
    pub phone_number: bool,
    /// `username`, `displayUsername`.
    pub username: bool,
    /// `isAnonymous`.
    pub anonymous: bool,
    /// `twoFactorEnabled`.
    pub two_factor: bool,
    /// `lastLoginMethod`.
    pub last_login_method: bool,
}

/// A user, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Identifies the user for ever.
    pub id: Uuid,
    /// What the person is called.
    pub name: String,
    /// In lower case.
    pub email: String,
    /// Whether the person has proved to read mail there.
    pub email_verified: bool,
    /// The address of a picture.
    #[serde(default)]
    pub image: Option<String>,
    /// When the user came.
    pub created_at: DateTime<Utc>,
    /// When the user last changed.
    pub updated_at: DateTime<Utc>,
    /// What the user may administrate: a comma-separated list.
    #[serde(default)]
    pub role: Option<String>,
    /// Whether signing in is forbidden.
    #[serde(default)]
    pub banned: Option<bool>,
    /// Why.
    #[serde(default)]
    pub ban_reason: Option<String>,
    /// Until when; for ever if absent.
    #[serde(default)]
    pub ban_expires: Option<DateTime<Utc>>,
    /// In international form.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// Whether the person has proved to read messages there.
    #[serde(default)]
    pub phone_number_verified: Option<bool>,
    /// In lower case.
    #[serde(default)]
    pub username: Option<String>,
    /// As the person wrote it.
    #[serde(default)]
    pub display_username: Option<String>,
    /// Whether nobody knows who it is.
    #[serde(default)]
    pub is_anonymous: Option<bool>,
    /// Whether a second factor is asked for.
    #[serde(default)]
    pub two_factor_enabled: Option<bool>,
    /// How the person last signed in.
    #[serde(default)]
    pub last_login_method: Option<String>,
}

/// A session, as the wire shows it. The token is the opaque one.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Identifies the session to its owner.
    pub id: Uuid,
    /// The credential.
    pub token: String,
    /// Whose it is.
    pub user_id: Uuid,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last extended.
    pub updated_at: DateTime<Utc>,
    /// Where the person signed in; empty when unknown.
    #[serde(default)]
    pub ip_address: Option<String>,
    /// With what; empty when unknown.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// The administrator who acts as this user.
    #[serde(default)]
    pub impersonated_by: Option<String>,
    /// The organization the person works in.
    #[serde(default)]
    pub active_organization_id: Option<String>,
    /// The team in it.
    #[serde(default)]
    pub active_team_id: Option<String>,
}

/// A user or session as JSON, with the members of the features that are on.
#[derive(Debug)]
pub struct Shown<'value, T> {
    value: &'value T,
    features: Features,
}

/// The body of get-session: `{"session": …, "user": …}`.
#[derive(Debug, Serialize)]
pub struct SessionBody<'value> {
    /// The session.
    pub session: Shown<'value, Session>,
    /// Its user.
    pub user: Shown<'value, User>,
}

/// The body of every refusal: `{"message": …, "code": …}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorBody<'text> {
    /// For people.
    pub message: &'text str,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'text str>,
}

impl User {
    /// As JSON.
    #[must_use]
    pub fn shown(&self, features: Features) -> Shown<'_, Self> {
        Shown { value: self, features }
    }
}

impl Session {
    /// As JSON.
    #[must_use]
    pub fn shown(&self, features: Features) -> Shown<'_, Self> {
        Shown { value: self, features }
    }
}

impl Serialize for Shown<'_, User> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (user, features) = (self.value, self.features);
        // Better Auth's order of members: the cookie cache signs this text.
        let mut body = serializer.serialize_struct("User", 18)?;
        body.serialize_field("name", &user.name)?;
        body.serialize_field("email", &user.email)?;
        body.serialize_field("emailVerified", &user.email_verified)?;
        body.serialize_field("image", &user.image)?;
        body.serialize_field("createdAt", &Timestamp(user.created_at))?;
        body.serialize_field("updatedAt", &Timestamp(user.updated_at))?;
        if features.admin {
            body.serialize_field("role", &user.role)?;
            body.serialize_field("banned", &user.banned)?;
            body.serialize_field("banReason", &user.ban_reason)?;
            body.serialize_field("banExpires", &user.ban_expires.map(Timestamp))?;
        }
        if features.phone_number {
            body.serialize_field("phoneNumber", &user.phone_number)?;
            body.serialize_field("phoneNumberVerified", &user.phone_number_verified)?;
        }
        if features.username {
            body.serialize_field("username", &user.username)?;
            body.serialize_field("displayUsername", &user.display_username)?;
        }
        if features.anonymous {
            body.serialize_field("isAnonymous", &user.is_anonymous)?;
        }
        if features.two_factor {
            body.serialize_field("twoFactorEnabled", &user.two_factor_enabled)?;
        }
        if features.last_login_method {
            body.serialize_field("lastLoginMethod", &user.last_login_method)?;
        }
        body.serialize_field("id", &user.id)?;
        body.end()
    }
}

impl Serialize for Shown<'_, Session> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (session, features) = (self.value, self.features);
        let mut body = serializer.serialize_struct("Session", 11)?;
        body.serialize_field("expiresAt", &Timestamp(session.expires_at))?;
        body.serialize_field("token", &session.token)?;
        body.serialize_field("createdAt", &Timestamp(session.created_at))?;
        body.serialize_field("updatedAt", &Timestamp(session.updated_at))?;
        body.serialize_field("ipAddress", &session.ip_address)?;
        body.serialize_field("userAgent", &session.user_agent)?;
        body.serialize_field("userId", &session.user_id)?;
        if features.admin {
            body.serialize_field("impersonatedBy", &session.impersonated_by)?;
        }
        if features.organization {
            body.serialize_field("activeOrganizationId", &session.active_organization_id)?;
        }
        if features.teams {
            body.serialize_field("activeTeamId", &session.active_team_id)?;
        }
        body.serialize_field("id", &session.id)?;
        body.end()
    }
}

/// The token does not show itself.
impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Session")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
