//! The settings of organizations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{permissions, slug};
use crate::permissions::{Roles, Statements};

/// Organizations: limits, invitations, roles, teams. `features.organization` switches them on, `features.teams` teams.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Config {
    /// Users may create organizations.
    pub allow_user_to_create: bool,
    /// Owners may delete their organization.
    pub allow_deletion: bool,
    /// Organizations that a user may be in before creating another is refused; 0: no limit.
    pub organization_limit: u32,
    /// Members of an organization.
    pub membership_limit: u32,
    /// Invitations of an organization that wait for an answer.
    pub invitation_limit: u32,
    /// The role of who creates an organization: only its holders hand it out, and one of them always stays.
    pub creator_role: String,
    /// Mail invitations. Off: whoever invites passes the link on.
    pub send_invitation_email: bool,
    /// Seconds an invitation is good for.
    pub invitation_expires_in: u32,
    /// Invitations are seen and answered by proven addresses only. Off, as in Better Auth, whoever claims an address
    /// answers the invitations to it.
    pub require_email_verification: bool,
    /// A new invitation to the same address cancels the one that waits, instead of being refused.
    pub cancel_pending_on_reinvite: bool,
    /// The application's page that mailed invitations lead to; `invitationId` is added to its query. Empty: a page of
    /// this server.
    pub accept_page: String,
    /// Who is no owner gives others only roles whose permissions they hold. Off, as in Better Auth, whoever may
    /// change members gives every role but the creator's.
    pub grant_only_held: bool,
    /// Any text is a short name, as in Better Auth. Off: lower-case letters, digits, `-` and `_`, at most 63, and no
    /// reserved name.
    pub any_slug: bool,
    /// Short names that no organization gets.
    pub reserved_slugs: Vec<String>,
    /// Organizations make roles of their own.
    pub dynamic_roles: bool,
    /// Roles of its own that an organization may have; 0: no limit.
    pub maximum_roles: u32,
    /// Further resources and the actions on them, which roles may grant: `project = ["create", "delete"]`. The
    /// creator's role grants them all.
    pub resources: BTreeMap<String, Vec<String>>,
    /// Further roles, or other permissions of `owner`, `admin` and `member`: `auditor = { project = ["read"] }`.
    pub roles: BTreeMap<String, Statements>,
    /// A new organization gets a team of its name.
    pub default_team: bool,
    /// Teams of an organization; 0: no limit.
    pub maximum_teams: u32,
    /// Members of a team; 0: no limit.
    pub maximum_team_members: u32,
    /// The last team of an organization may be removed.
    pub allow_removing_all_teams: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_user_to_create: true,
            allow_deletion: true,
            organization_limit: 10,
            membership_limit: 100,
            invitation_limit: 100,
            creator_role: "owner".to_owned(),
            send_invitation_email: true,
            invitation_expires_in: 48 * 60 * 60,
            require_email_verification: true,
            cancel_pending_on_reinvite: false,
            accept_page: String::new(),
            grant_only_held: true,
            any_slug: false,
            reserved_slugs: slug::RESERVED.map(str::to_owned).into(),
            dynamic_roles: false,
            maximum_roles: 50,
            resources: BTreeMap::new(),
            roles: BTreeMap::new(),
            default_team: true,
            maximum_teams: 0,
            maximum_team_members: 0,
            allow_removing_all_teams: false,
        }
    }
}

impl Config {
    /// The predefined roles with those of the configuration.
    ///
    /// # Errors
    /// In the operator's words: the creator's role is none of them, or a role or page cannot be used.
    pub fn all_roles(&self) -> anyhow::Result<Roles> {
        let mut roles = permissions::predefined();
        let mut creator = roles.of(&self.creator_role).cloned().unwrap_or_default();
        creator.extend(self.resources.clone());
        if roles.knows(&self.creator_role) {
            roles.define(&self.creator_role, creator);
        }
        for (role, statements) in &self.roles {
            anyhow::ensure!(
                permissions::is_name(role),
                "organization.roles: {role:?} is no name for a role"
            );
            roles.define(role, statements.clone());
        }
        anyhow::ensure!(
            roles.knows(&self.creator_role),
            "organization.creator_role: there is no role {:?}",
            self.creator_role
        );
        if !self.accept_page.is_empty() {
            let page = url::Url::parse(&self.accept_page);
            anyhow::ensure!(
                page.is_ok_and(|page| page.has_host()),
                "organization.accept_page: {:?} is not a URL",
                self.accept_page
            );
        }
        Ok(roles)
    }

    /// A limit of which 0 means none.
    pub(super) fn reached(limit: u32, count: i64) -> bool {
        limit > 0 && count >= i64::from(limit)
    }
}
