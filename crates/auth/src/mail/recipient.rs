//! Who may be written to: one plain ASCII address, nothing that a mail server could read as two.

use lettre::Address;

/// The longest address a mail server takes (RFC 5321 section 4.5.3.1.3, less its angle brackets).
const LONGEST: usize = 254;
/// The longest part before the `@` (RFC 5321 section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// An address that is safe in an envelope and a header (ML-06, IN-08): no quoting, comments, lists, control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(Address);

/// The address is not one that Gatepost writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address that mail can go to")]
pub struct InvalidRecipient;

impl Recipient {
    /// Takes a dot-atom of RFC 5322 at a host name; international domains come as punycode.
    ///
    /// # Errors
    /// Everything else is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidRecipient> {
        let (local, domain) = text.split_once('@').ok_or(InvalidRecipient)?;
        let fits = text.len() <= LONGEST && local.len() <= LONGEST_LOCAL;
        if !fits || !local.split('.').all(is_atom) || !domain.split('.').all(is_label) {
            return Err(InvalidRecipient);
        }
        Address::new(local, domain).map(Self).map_err(|_| InvalidRecipient)
    }

    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    pub(super) fn address(&self) -> Address {
        self.0.clone()
    }
}

fn is_atom(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_`{|}~".contains(&byte))
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
