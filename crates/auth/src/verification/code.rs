//! Short codes that somebody reads and types: few digits, so every guess is counted.
//!
//! One code lives per slot. A guess locks the row, adds one to its count in a statement of its own, and only then is
//! compared; whoever guesses at the same time, on whatever server, waits and finds the new count (OT-02). The value is
//! Better Auth's `code:tries`. The code is kept as an HMAC under the server's secret, as a million plain hashes are
//! tried in no time (OT-11); in `plain` storage it stands as it is.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use gatepost_protocol::{digest, random, secret::Secret};
use uuid::Uuid;

use crate::{
    app::App,
    database::statements::Statement,
    error::{Refusal, Result},
    events::{self, Event, Refused},
    http::Call,
    mail::OtpPurpose,
    phone_number::{PhoneNumber, TextPurpose},
    session::TokenStorage,
    user::Email,
};

/// The row's id is made of its identifier: two requests at once cannot leave two codes.
pub(super) const REPLACE: Statement = Statement::new(
    "verification.code.replace",
    r#"with slot as (select substr(encode(sha256(convert_to($1::text, 'UTF8')), 'hex'), 1, 32)::uuid as id),
others as (delete from neon_auth.verification v using slot where v.identifier = $1::text and v.id <> slot.id)
insert into neon_auth.verification as v (id, identifier, value, "expiresAt", "createdAt", "updatedAt")
select slot.id, $1::text, $2, $3, $4, $4 from slot
on conflict (id) do update set value = excluded.value, "expiresAt" = excluded."expiresAt",
  "createdAt" = excluded."createdAt", "updatedAt" = excluded."updatedAt""#,
);

pub(super) const COUNT: Statement = Statement::new(
    "verification.code.count",
    r#"update neon_auth.verification
set value = coalesce(substring(value from '^(.*):[0-9]{1,6}$'), value) || ':'
  || (coalesce(substring(value from ':([0-9]{1,6})$')::int, 0) + 1)::text, "updatedAt" = $2
where identifier = $1 returning value, "expiresAt" > $2, "createdAt""#,
);

pub(super) const UNCOUNT: Statement = Statement::new(
    "verification.code.uncount",
    r#"update neon_auth.verification
set value = coalesce(substring(value from '^(.*):[0-9]{1,6}$'), value) || ':'
  || greatest(coalesce(substring(value from ':([0-9]{1,6})$')::int, 0) - 1, 0)::text
where identifier = $1"#,
);

pub(super) const DELETE: Statement = Statement::new(
    "verification.code.delete",
    "delete from neon_auth.verification where identifier = $1",
);

/// What a code is good for, and whose it is: at most one code is alive in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot(String);

impl Slot {
    /// For the owner of an address.
    #[must_use]
    pub fn of_address(purpose: OtpPurpose, email: &Email) -> Self {
        Self(format!("{}-otp-{email}", purpose.as_str()))
    }

    /// For a user who wants to move to an address: bound to both (OT-15).
    #[must_use]
    pub fn of_move(user: Uuid, to: &Email) -> Self {
        Self(format!("{}-otp-{user}:{to}", OtpPurpose::ChangeEmail.as_str()))
    }

    /// For whoever holds a telephone, in Better Auth's spelling.
    #[must_use]
    pub fn of_phone(purpose: TextPurpose, number: &PhoneNumber) -> Self {
        Self(match purpose {
            TextPurpose::Verify => format!("phone-number-otp-{number}"),
            TextPurpose::ResetPassword => format!("phone-number-reset-{number}"),
        })
    }

    /// Names the slot without telling whose it is.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::sha256_base64url(&self.0)
    }

    /// For the second factor of one pending sign-in, or of one session.
    #[must_use]
    pub fn of_second_factor(key: &str) -> Self {
        Self(format!("2fa-otp-{key}"))
    }
}

/// How codes are kept and how often they may be guessed.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// As HMAC, or plain.
    pub storage: TokenStorage,
    /// The key of the HMAC.
    pub secret: &'a Secret,
    /// Wrong tries that a code survives.
    pub attempts: u32,
}

impl Keeping<'_> {
    fn stored(self, slot: &Slot, code: &str) -> String {
        match self.storage {
            TokenStorage::Plain => code.to_owned(),
            TokenStorage::Hashed => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
                let tag = hmac::sign(&key, format!("code\0{}\0{code}", slot.0).as_bytes());
                URL_SAFE_NO_PAD.encode(tag)
            }
        }
    }
}

/// What came of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The code; the transaction holds it. [`use_up`] or [`give_back`] is due.
    Right,
    /// Another one; counted.
    Wrong,
    /// There is none.
    Absent,
    /// Too old; it is gone now.
    Expired,
    /// Guessed at too often, so that not even the right one helps; it is gone now.
    Exhausted,
}

/// Writes a code down; an earlier one in the slot is dead from now on. `None`: a code that nobody can know, so that the
/// slot of an address without a user behaves like any other (EN-06).
///
/// # Errors
/// Those of Postgres.
pub async fn replace(
    conn: &impl GenericClient,
    slot: &Slot,
    keeping: Keeping<'_>,
    code: Option<&str>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let stored = code.map_or_else(|| random::token(43), |code| keeping.stored(slot, code));
    let statement = conn.prepare_cached(REPLACE.sql).await?;
    conn.execute(&statement, &[&slot.0, &format!("{stored}:0"), &expires_at, &now]).await?;
    Ok(())
}

/// Counts a guess, then compares it. The transaction must be committed whatever the verdict.
///
/// # Errors
/// Those of Postgres.
pub async fn guess(
    tx: &impl GenericClient,
    slot: &Slot,
    keeping: Keeping<'_>,
    presented: &str,
    now: DateTime<Utc>,
) -> Result<Verdict> {
    let statement = tx.prepare_cached(COUNT.sql).await?;
    let rows = tx.query(&statement, &[&slot.0, &now]).await?;
    let mut newest: Option<(String, bool, DateTime<Utc>)> = None;
    for row in rows {
        let (value, live, created): (String, bool, DateTime<Utc>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        // Several rows are those of a Better Auth process on the same database; the last one counts.
        if newest.as_ref().is_none_or(|(_, _, other)| created >= *other) {
            newest = Some((value, live, created));
        }
    }
    let Some((value, live, _)) = newest else { return Ok(Verdict::Absent) };
    let (stored, tries) = value.rsplit_once(':').unwrap_or((&value, ""));
    let within = tries.parse::<u32>().is_ok_and(|tries| tries <= keeping.attempts);
    if !live || !within {
        use_up(tx, slot).await?;
        return Ok(if live { Verdict::Exhausted } else { Verdict::Expired });
    }
    let expected = keeping.stored(slot, presented);
    let right = verify_slices_are_equal(expected.as_bytes(), stored.as_bytes()).is_ok();
    Ok(if right { Verdict::Right } else { Verdict::Wrong })
}

/// The code is dead from now on.
///
/// # Errors
/// Those of Postgres.
pub async fn use_up(conn: &impl GenericClient, slot: &Slot) -> Result<()> {
    let statement = conn.prepare_cached(DELETE.sql).await?;
    conn.execute(&statement, &[&slot.0]).await?;
    Ok(())
}

/// The guess was right and the code stays: it does not count.
///
/// # Errors
/// Those of Postgres.
pub async fn give_back(conn: &impl GenericClient, slot: &Slot) -> Result<()> {
    let statement = conn.prepare_cached(UNCOUNT.sql).await?;
    conn.execute(&statement, &[&slot.0]).await?;
    Ok(())
}

/// What becomes of a code that was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is dead.
    UseUp,
    /// It stays good.
    Keep,
}

/// A guess at the code of a slot.
#[derive(Clone, Copy)]
pub(crate) struct Guess<'a> {
    pub slot: &'a Slot,
    pub keeping: Keeping<'a>,
    pub presented: &'a str,
    pub then: Then,
}

/// What a feature says to guesses that are not right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusals {
    pub wrong: Refusal,
    pub absent: Refusal,
    pub expired: Refusal,
    pub exhausted: Refusal,
}

/// Counts and judges a guess. A right one leaves the transaction to the caller; any other is committed and refused.
///
/// # Errors
/// One of `refusals`.
pub(crate) async fn check<'a>(
    app: &App,
    call: &Call,
    tx: Transaction<'a>,
    of: Guess<'_>,
    refusals: &Refusals,
) -> Result<Transaction<'a>> {
    let refusal = match guess(&tx, of.slot, of.keeping, of.presented, call.now).await? {
        Verdict::Right => {
            match of.then {
                Then::UseUp => use_up(&tx, of.slot).await?,
                Then::Keep => give_back(&tx, of.slot).await?,
            }
            return Ok(tx);
        }
        Verdict::Wrong => refusals.wrong,
        Verdict::Absent => refusals.absent,
        Verdict::Expired => refusals.expired,
        Verdict::Exhausted => refusals.exhausted,
    };
    let refused = Event::Refused { why: Refused::WrongCode, email: None, detail: None };
    events::record(app, &tx, call, refused, None).await?;
    tx.commit().await?;
    Err(refusal.into())
}
