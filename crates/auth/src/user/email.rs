//! An e-mail address as Better Auth takes it.

use std::fmt;

/// An address that has the form of one, in lower case. Equality is identity: one address, one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// The longest address that SMTP carries (RFC 5321, 4.5.3.1.3, less the brackets).
    const MAX: usize = 254;

    /// Folds to lower case and checks the form: the grammar of zod 4, which Better Auth's clients expect.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        (is_local(local) && is_domain(domain)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_local(local: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_'+-.".contains(&b);
    let last = |b: u8| b.is_ascii_alphanumeric() || b"_+-".contains(&b);
    local.bytes().all(allowed)
        && local.bytes().next_back().is_some_and(last)
        && !local.starts_with('.')
        && !local.contains("..")
}

fn is_domain(domain: &str) -> bool {
    let Some((labels, top)) = domain.rsplit_once('.') else { return false };
    let is_label = |label: &str| {
        label.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    labels.split('.').all(is_label)
        && top.len() >= 2
        && top.bytes().all(|b| b.is_ascii_alphabetic())
}
