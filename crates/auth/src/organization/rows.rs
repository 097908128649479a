//! Rows of organizations as the wire shows them, in Better Auth's order of members.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{permissions::Statements, wire};

/// A row of `neon_auth.organization`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Any text.
    pub name: String,
    /// Unique, case-sensitive.
    pub slug: String,
    /// URL of a picture.
    pub logo: Option<String>,
    /// When it came to be.
    #[serde(serialize_with = "wire::time")]
    pub created_at: DateTime<Utc>,
    /// JSON as text: so the reading endpoints show it.
    pub metadata: Option<String>,
    /// Row id.
    pub id: Uuid,
}

/// The same as the writing endpoints show it: metadata as JSON, left out when there is none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    name: &'a str,
    slug: &'a str,
    logo: Option<&'a str>,
    #[serde(serialize_with = "wire::time")]
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<[Member; 1]>,
}

impl Organization {
    /// As create and update show it.
    pub(super) fn written(&self, creator: Option<Member>) -> Written<'_> {
        let metadata = self.metadata.as_deref();
        Written {
            name: &self.name,
            slug: &self.slug,
            logo: self.logo.as_deref(),
            created_at: self.created_at,
            metadata: metadata.and_then(|text| serde_json::from_str(text).ok()),
            id: self.id,
            members: creator.map(|member| [member]),
        }
    }
}

/// A row of `neon_auth.member`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Where.
    pub organization_id: Uuid,
    /// Who.
    pub user_id: Uuid,
    /// Roles, divided by commas.
    pub role: String,
    /// Since when.
    #[serde(serialize_with = "wire::time")]
    pub created_at: DateTime<Utc>,
    /// Row id.
    pub id: Uuid,
}

/// What members see of each other.
#[derive(Clone, Debug, Serialize)]
pub struct MemberUser {
    /// Row id.
    pub id: Uuid,
    /// Any text.
    pub name: String,
    /// Address.
    pub email: String,
    /// URL of a picture.
    pub image: Option<String>,
}

/// A member with the user.
#[derive(Clone, Debug, Serialize)]
pub struct WithUser {
    /// The row.
    #[serde(flatten)]
    pub member: Member,
    /// Who it is.
    pub user: MemberUser,
}

/// A row of `neon_auth.invitation`.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Where to.
    pub organization_id: Uuid,
    /// Whom, in lower case.
    pub email: String,
    /// As what.
    pub role: String,
    /// Into which teams, divided by commas.
    pub team_id: Option<String>,
    /// `pending`, `accepted`, `rejected`, `canceled`.
    pub status: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub inviter_id: Uuid,
    /// Row id; the handle in the mailed link.
    pub id: Uuid,
}

impl Invitation {
    /// Waits for an answer, whether or not its time is over.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    /// Can be accepted.
    #[must_use]
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.is_pending() && self.expires_at >= now
    }

    /// The teams it leads into.
    pub fn teams(&self) -> impl Iterator<Item = &str> {
        self.team_id.iter().flat_map(|teams| teams.split(','))
    }

    /// As JSON; `teamId` exists where teams are on.
    pub(super) fn shown(&self, teams: bool) -> Map<String, Value> {
        let time = |time: DateTime<Utc>| wire::time_text(time).into();
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("organizationId", self.organization_id.to_string().into());
        put("email", self.email.clone().into());
        put("role", self.role.clone().into());
        if teams {
            put("teamId", self.team_id.clone().into());
        }
        put("status", self.status.clone().into());
        put("expiresAt", time(self.expires_at));
        put("createdAt", time(self.created_at));
        put("inviterId", self.inviter_id.to_string().into());
        put("id", self.id.to_string().into());
        body
    }
}

/// A row of `neon_auth.team`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Any text.
    pub name: String,
    /// How many are in it; the full organization alone shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_count: Option<i32>,
    /// Where.
    pub organization_id: Uuid,
    /// Since when.
    #[serde(serialize_with = "wire::time")]
    pub created_at: DateTime<Utc>,
    /// Last change.
    #[serde(serialize_with = "optional_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Row id.
    pub id: Uuid,
}

/// A row of `neon_auth."teamMember"`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamMember {
    /// Where.
    pub team_id: Uuid,
    /// Who.
    pub user_id: Uuid,
    /// Since when.
    #[serde(serialize_with = "optional_time")]
    pub created_at: Option<DateTime<Utc>>,
    /// Row id.
    pub id: Uuid,
}

/// A row of `neon_auth."organizationRole"`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnRole {
    /// Where.
    pub organization_id: Uuid,
    /// Its name, in lower case.
    pub role: String,
    /// What it grants.
    pub permission: Statements,
    /// Since when.
    #[serde(serialize_with = "wire::time")]
    pub created_at: DateTime<Utc>,
    /// Last change.
    #[serde(serialize_with = "optional_time")]
    pub updated_at: Option<DateTime<Utc>>,
    /// Row id.
    pub id: Uuid,
}

fn optional_time<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => wire::time(time, serializer),
        None => serializer.serialize_none(),
    }
}
