//! What was granted: codes, access tokens, refresh tokens.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use gatepost_protocol::random;

use crate::{Account, Fault};

/// RFC 6749 section 4.1.2 allows ten minutes; a browser needs a second.
const CODE_LIFE: TimeDelta = TimeDelta::seconds(60);
/// Of access tokens and id tokens.
pub(crate) const TOKEN_LIFE: TimeDelta = TimeDelta::seconds(3600);
/// More than any test needs; the oldest go first.
const MOST: usize = 10_000;

/// What somebody agreed to.
#[derive(Debug)]
pub(crate) struct Consent {
    pub(crate) account: Account,
    pub(crate) fault: Option<Fault>,
    pub(crate) brand: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    /// `code_challenge`, by S256.
    pub(crate) challenge: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Default)]
pub(crate) struct Grants {
    codes: HashMap<String, Kept>,
    access: HashMap<String, Kept>,
    refresh: HashMap<String, Kept>,
}

struct Kept {
    consent: Arc<Consent>,
    expires_at: DateTime<Utc>,
    used: bool,
}

/// What the token endpoint hands out.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Grants {
    /// A code for what was agreed to.
    pub(crate) fn code(&mut self, consent: Consent, now: DateTime<Utc>) -> String {
        insert(&mut self.codes, Arc::new(consent), now + CODE_LIFE, now)
    }

    /// What a code stands for; once. A code that is presented again was stolen by one of the two who did, so that what
    /// it gave is taken back (RFC 6749 section 4.1.2).
    pub(crate) fn redeem(&mut self, code: &str, now: DateTime<Utc>) -> Option<Arc<Consent>> {
        let kept = self.codes.get_mut(code).filter(|kept| kept.expires_at > now)?;
        let consent = Arc::clone(&kept.consent);
        if std::mem::replace(&mut kept.used, true) {
            self.access.retain(|_, other| !Arc::ptr_eq(&other.consent, &consent));
            self.refresh.retain(|_, other| !Arc::ptr_eq(&other.consent, &consent));
            return None;
        }
        Some(consent)
    }

    /// New tokens.
    pub(crate) fn issue(&mut self, consent: &Arc<Consent>, now: DateTime<Utc>) -> Tokens {
        let access = self.access(consent, now);
        let refresh =
            insert(&mut self.refresh, Arc::clone(consent), now + TimeDelta::days(30), now);
        Tokens { access, refresh }
    }

    /// A new access token.
    pub(crate) fn access(&mut self, consent: &Arc<Consent>, now: DateTime<Utc>) -> String {
        insert(&mut self.access, Arc::clone(consent), now + TOKEN_LIFE, now)
    }

    /// What a refresh token stands for. It stays good: two requests at once may use it.
    pub(crate) fn refresh(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Consent>> {
        find(&self.refresh, token, now)
    }

    /// What an access token stands for.
    pub(crate) fn bearer(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Consent>> {
        find(&self.access, token, now)
    }
}

fn find(kept: &HashMap<String, Kept>, key: &str, now: DateTime<Utc>) -> Option<Arc<Consent>> {
    let kept = kept.get(key).filter(|kept| kept.expires_at > now)?;
    Some(Arc::clone(&kept.consent))
}

fn insert(
    kept: &mut HashMap<String, Kept>,
    consent: Arc<Consent>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> String {
    if kept.len() >= MOST {
        kept.retain(|_, other| other.expires_at > now);
    }
    if kept.len() >= MOST
        && let Some(oldest) = kept.iter().min_by_key(|(_, kept)| kept.expires_at)
    {
        let oldest = oldest.0.clone();
        kept.remove(&oldest);
    }
    let key = random::token(40);
    kept.insert(key.clone(), Kept { consent, expires_at, used: false });
    key
}
