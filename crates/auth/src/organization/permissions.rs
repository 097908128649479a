//! Who may do what in an organization: the predefined roles, and the one question every endpoint asks.

use super::rows::{Member, MemberUser, WithUser};
use crate::{
    app::App,
    permissions::{Predefined, Roles, Statements, allow, one, role_list},
};

/// Resources and actions that there are without configuration (Better Auth `defaultStatements`).
const RESOURCES: [(&str, &[&str]); 5] = [
    ("organization", &["update", "delete"]),
    ("member", &["create", "update", "delete"]),
    ("invitation", &["create", "cancel"]),
    ("team", &["create", "update", "delete"]),
    ("ac", &["create", "read", "update", "delete"]),
];

/// What every member may do: a role that grants no more elevates nobody.
const MEMBER: &str = "member";

const ROLES: [Predefined; 3] = [
    ("owner", &RESOURCES),
    (
        "admin",
        &[
            ("organization", &["update"]),
            ("member", &["create", "update", "delete"]),
            ("invitation", &["create", "cancel"]),
            ("team", &["create", "update", "delete"]),
            ("ac", &["create", "read", "update", "delete"]),
        ],
    ),
    (
        MEMBER,
        &[
            ("organization", &[]),
            ("member", &[]),
            ("invitation", &[]),
            ("team", &[]),
            ("ac", &["read"]),
        ],
    ),
];

/// The roles that every organization has.
#[must_use]
pub fn predefined() -> Roles {
    Roles::predefined(&ROLES)
}

/// Whether a role may be called so: a list of roles is divided by commas.
pub(super) fn is_name(role: &str) -> bool {
    !role.is_empty()
        && role.len() <= 64
        && role.trim() == role
        && !role.contains(|character: char| character == ',' || character.is_control())
}

/// Whether there is such a resource, by default or by configuration.
pub(super) fn is_resource(app: &App, resource: &str) -> bool {
    RESOURCES.iter().any(|(name, _)| *name == resource)
        || app.config.organization.resources.contains_key(resource)
}

/// Somebody in an organization, as of now.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The row.
    pub member: Member,
    /// Who it is.
    pub user: MemberUser,
    /// What the organization's own roles among the member's grant.
    pub own_roles: Roles,
}

impl Membership {
    /// Whether the member may do this: the one check of every endpoint.
    #[must_use]
    pub fn may(&self, app: &App, resource: &str, action: &str) -> bool {
        self.may_all(app, &one(resource, action))
    }

    /// Whether one of the member's roles grants everything that is asked.
    #[must_use]
    pub fn may_all(&self, app: &App, asked: &Statements) -> bool {
        allow(&[&app.organization_roles, &self.own_roles], &self.member.role, asked)
    }

    /// As the wire shows it.
    #[must_use]
    pub fn with_user(&self) -> WithUser {
        WithUser { member: self.member.clone(), user: self.user.clone() }
    }

    /// Whether the member holds the creator's role.
    #[must_use]
    pub fn is_creator(&self, app: &App) -> bool {
        holds_creator_role(app, &self.member.role)
    }

    /// The permissions among these that the member lacks, as `resource:action`.
    #[must_use]
    pub fn lacks(&self, app: &App, statements: &Statements) -> Vec<String> {
        let each = statements
            .iter()
            .flat_map(|(resource, actions)| actions.iter().map(move |action| (resource, action)));
        each.filter(|(resource, action)| !self.may(app, resource, action))
            .map(|(resource, action)| format!("{resource}:{action}"))
            .collect()
    }

    /// Whether the member may give somebody these roles; `own` are the organization's among them.
    #[must_use]
    pub fn may_grant<'a>(
        &self,
        app: &App,
        roles: impl IntoIterator<Item = &'a str>,
        own: &Roles,
    ) -> bool {
        if !app.config.organization.grant_only_held || self.is_creator(app) {
            return true;
        }
        let everybody = |resource: &str, action: &str| {
            allow(&[&app.organization_roles], MEMBER, &one(resource, action))
        };
        let granted = roles
            .into_iter()
            .flat_map(|role| [app.organization_roles.of(role), own.of(role)])
            .flatten()
            .flatten();
        let mut each = granted.flat_map(|(resource, actions)| {
            actions.iter().map(move |action| (resource.as_str(), action.as_str()))
        });
        each.all(|(resource, action)| {
            everybody(resource, action) || self.may(app, resource, action)
        })
    }
}

/// Whether the creator's role is among these.
pub(super) fn holds_creator_role(app: &App, roles: &str) -> bool {
    role_list(roles).any(|role| role == app.config.organization.creator_role)
}
