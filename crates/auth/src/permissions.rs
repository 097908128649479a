//! Permissions by role: resources, the actions on them, and the one function that judges.
//!
//! A holder's roles stand in one text, divided by commas, as Better Auth stores them. A request is granted when one of
//! these roles grants all of it; what two roles grant together is not added up.

use std::collections::BTreeMap;

/// Actions by resource: what a role grants, or what is asked for.
pub type Statements = BTreeMap<String, Vec<String>>;

/// Roles by name, and what each grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(BTreeMap<String, Statements>);

/// A role as it stands in the source: its name, and its resources with their actions.
pub type Predefined = (&'static str, &'static [(&'static str, &'static [&'static str])]);

impl Roles {
    /// Roles that stand in the source.
    #[must_use]
    pub fn predefined(roles: &[Predefined]) -> Self {
        let mut all = Self::default();
        for (role, resources) in roles {
            let statements = resources.iter().map(|(resource, actions)| {
                let actions = actions.iter().map(|action| (*action).to_owned()).collect();
                ((*resource).to_owned(), actions)
            });
            all.define(role, statements.collect());
        }
        all
    }

    /// Sets what a role grants, whatever it granted before.
    pub fn define(&mut self, role: &str, statements: Statements) {
        self.0.insert(role.to_owned(), statements);
    }

    /// Whether there is a role of that name.
    #[must_use]
    pub fn knows(&self, role: &str) -> bool {
        self.0.contains_key(role)
    }

    /// What a role grants.
    #[must_use]
    pub fn of(&self, role: &str) -> Option<&Statements> {
        self.0.get(role)
    }

    fn grants(&self, role: &str, resource: &str, action: &str) -> bool {
        let actions = self.0.get(role).and_then(|statements| statements.get(resource));
        actions.is_some_and(|actions| actions.iter().any(|granted| granted == action))
    }
}

/// Whether somebody who holds the roles in `held` may do all that is asked. A role that stands in several sets grants
/// what it grants in any of them. Nothing asked, or a resource without actions, is granted to nobody.
#[must_use]
pub fn allow(sets: &[&Roles], held: &str, asked: &Statements) -> bool {
    let granted = |role: &str, resource: &str, action: &str| {
        sets.iter().any(|roles| roles.grants(role, resource, action))
    };
    !asked.is_empty()
        && role_list(held).any(|role| {
            asked.iter().all(|(resource, actions)| {
                !actions.is_empty() && actions.iter().all(|action| granted(role, resource, action))
            })
        })
}

/// The roles in a text: divided by commas, white space around them dropped.
pub fn role_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|role| !role.is_empty())
}

/// The text that is stored for several roles, each of which may itself be a list.
#[must_use]
pub fn joined<'a>(roles: impl IntoIterator<Item = &'a str>) -> String {
    roles.into_iter().flat_map(role_list).collect::<Vec<_>>().join(",")
}

/// One action on one resource.
#[must_use]
pub fn one(resource: &str, action: &str) -> Statements {
    Statements::from([(resource.to_owned(), vec![action.to_owned()])])
}

#[cfg(test)]
mod tests;
