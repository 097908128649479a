//! Security events: one record goes to the audit table, the log, the metrics, and to whoever watches a development server.

use deadpool_postgres::GenericClient;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    admin,
    app::{App, connection},
    database::statements::Statement,
    error::Result,
    http::Call,
};

const RECORD: Statement = Statement::new(
    "events.record",
    "insert into neon_auth.gatepost_audit (at, event, user_id, session_id, address, request_id, details)
values ($1, $2, $3, $4, $5, $6, $7)",
);

/// Every statement, for the test that prepares them.
pub(crate) const STATEMENTS: &[&Statement] = &[&RECORD];

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user came to be.
    SignedUp { email: String },
    /// A session began.
    SignedIn { email: String, session: Uuid },
    /// A session was ended by its user.
    SignedOut,
    /// One session was ended from another.
    SessionRevoked { session: Uuid },
    /// All sessions of a user, or all but one, were ended.
    SessionsRevoked,
    /// A password was changed by its owner.
    PasswordChanged,
    /// A reset link was asked for.
    PasswordResetRequested,
    /// A password was set through a mailed link.
    PasswordReset,
    /// An address was proven.
    EmailVerified,
    /// A user moved to another address.
    EmailChanged { from: String, to: String },
    /// A telephone number was proven and given to a user, or taken away.
    PhoneNumberChanged { number: Option<String> },
    /// A user chose another name for signing in.
    UsernameChanged { username: Option<String> },
    /// A guest signed in as somebody: what the guest had belongs to that user now.
    GuestLinked { guest: Uuid },
    /// A one-time token was made for a session.
    OneTimeTokenMade { session: Uuid },
    /// A session was taken over to another place by a one-time token.
    OneTimeTokenUsed { session: Uuid },
    /// A code or a link was asked for; the purpose as Better Auth spells it.
    CodeRequested { purpose: &'static str },
    /// The owner of a mailbox took over a user who never proved it: what the stranger left is gone.
    AccountAdopted { email: String },
    /// A user got another way in, at this provider.
    AccountLinked { provider: String },
    /// A way in was removed.
    AccountUnlinked,
    /// A first factor was proven, a second one is asked for.
    TwoFactorAsked,
    /// A user is asked for a second factor from now on.
    TwoFactorEnabled,
    /// A user is not asked for a second factor any more.
    TwoFactorDisabled,
    /// A user got new backup codes.
    BackupCodesReplaced,
    /// A backup code was used up.
    BackupCodeUsed { left: usize },
    /// A browser skips the second factor from now on.
    DeviceTrusted,
    /// A user has a further passkey.
    PasskeyAdded { passkey: Uuid },
    /// A passkey was removed by its user.
    PasskeyRemoved { passkey: Uuid },
    /// A user is gone.
    UserDeleted { email: String },
    /// A device asked for a code.
    DeviceRequested { client: String },
    /// Somebody let a device sign in as themselves.
    DeviceApproved { client: String },
    /// Somebody turned a device away.
    DeviceDenied { client: String },
    /// Somebody was turned away.
    Refused {
        /// The reason.
        why: Refused,
        /// The address that was named.
        email: Option<String>,
        /// What was received and what would have been taken, for the operator.
        detail: Option<String>,
    },
    /// An API key was made.
    ApiKeyCreated { key: Uuid },
    /// An API key was changed.
    ApiKeyChanged { key: Uuid },
    /// An API key was deleted.
    ApiKeyDeleted { key: Uuid },
    /// An administrator did something to a user.
    ByAdmin { deed: admin::Deed, by: Uuid },
    /// Something happened to an organization; `about` names the address, role or member.
    Organization { deed: Deed, organization: Uuid, about: Option<String> },
    /// Too many requests.
    Limited { path: String },
    /// A signing key was made.
    KeyRotated { kid: Uuid },
}

/// What happened to an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It came to be.
    Created,
    /// It is gone, with everything in it.
    Deleted,
    /// Somebody was invited.
    Invited,
    /// Somebody accepted.
    Joined,
    /// A member left.
    Left,
    /// A member was removed.
    Removed,
    /// A member got other roles.
    RoleChanged,
    /// A role of its own was made, changed or deleted.
    PermissionsChanged,
}

impl Deed {
    /// As it stands in the audit table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "organization-created",
            Self::Deleted => "organization-deleted",
            Self::Invited => "organization-invited",
            Self::Joined => "organization-joined",
            Self::Left => "organization-left",
            Self::Removed => "organization-member-removed",
            Self::RoleChanged => "organization-role-changed",
            Self::PermissionsChanged => "organization-permissions-changed",
        }
    }
}

/// Why somebody was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such user, or not this password.
    WrongPassword,
    /// Not this code, or it is dead.
    WrongCode,
    /// Not the second factor of this user, or too many guesses at it.
    WrongSecondFactor,
    /// No such passkey, or its signature is wrong.
    WrongPasskey,
    /// The address is not proven yet.
    EmailNotVerified,
    /// Shut out.
    Banned,
    /// A page on an origin that is not trusted.
    Origin,
    /// A redirect target that is not trusted.
    RedirectTarget,
    /// No proof that a person is there.
    Captcha,
    /// Two sessions in one request.
    AmbiguousSession,
    /// A session verifier without the challenge of the browser that it is for.
    ForeignVerifier,
    /// An administrator acting as the user, where only the user may act.
    Impersonation,
    /// An API key that is unknown, over, or used up.
    ApiKey,
    /// Another provider's word was not enough.
    Social,
}

impl Refused {
    /// As it stands in the audit table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong-password",
            Self::WrongCode => "wrong-code",
            Self::WrongSecondFactor => "wrong-second-factor",
            Self::WrongPasskey => "wrong-passkey",
            Self::EmailNotVerified => "email-not-verified",
            Self::Banned => "banned",
            Self::Origin => "origin",
            Self::RedirectTarget => "redirect-target",
            Self::Captcha => "captcha",
            Self::AmbiguousSession => "ambiguous-session",
            Self::ForeignVerifier => "foreign-verifier",
            Self::Impersonation => "impersonation",
            Self::ApiKey => "api-key",
            Self::Social => "social",
        }
    }
}

impl Event {
    /// As it stands in the audit table and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SignedUp { .. } => "signed-up",
            Self::SignedIn { .. } => "signed-in",
            Self::SignedOut => "signed-out",
            Self::SessionRevoked { .. } => "session-revoked",
            Self::SessionsRevoked => "sessions-revoked",
            Self::PasswordChanged => "password-changed",
            Self::PasswordResetRequested => "password-reset-requested",
            Self::PasswordReset => "password-reset",
            Self::EmailVerified => "email-verified",
            Self::EmailChanged { .. } => "email-changed",
            Self::PhoneNumberChanged { .. } => "phone-number-changed",
            Self::UsernameChanged { .. } => "username-changed",
            Self::GuestLinked { .. } => "guest-linked",
            Self::OneTimeTokenMade { .. } => "one-time-token-made",
            Self::OneTimeTokenUsed { .. } => "one-time-token-used",
            Self::CodeRequested { .. } => "code-requested",
            Self::AccountAdopted { .. } => "account-adopted",
            Self::AccountLinked { .. } => "account-linked",
            Self::AccountUnlinked => "account-unlinked",
            Self::TwoFactorAsked => "two-factor-asked",
            Self::TwoFactorEnabled => "two-factor-enabled",
            Self::TwoFactorDisabled => "two-factor-disabled",
            Self::BackupCodesReplaced => "backup-codes-replaced",
            Self::BackupCodeUsed { .. } => "backup-code-used",
            Self::DeviceTrusted => "device-trusted",
            Self::PasskeyAdded { .. } => "passkey-added",
            Self::PasskeyRemoved { .. } => "passkey-removed",
            Self::UserDeleted { .. } => "user-deleted",
            Self::DeviceRequested { .. } => "device-requested",
            Self::DeviceApproved { .. } => "device-approved",
            Self::DeviceDenied { .. } => "device-denied",
            Self::Refused { .. } => "refused",
            Self::ApiKeyCreated { .. } => "api-key-created",
            Self::ApiKeyChanged { .. } => "api-key-changed",
            Self::ApiKeyDeleted { .. } => "api-key-deleted",
            Self::ByAdmin { deed, .. } => deed.name(),
            Self::Organization { deed, .. } => deed.as_str(),
            Self::Limited { .. } => "limited",
            Self::KeyRotated { .. } => "key-rotated",
        }
    }

    /// What the event is about, without secrets.
    #[must_use]
    pub fn details(&self) -> Value {
        match self {
            Self::SignedUp { email }
            | Self::SignedIn { email, .. }
            | Self::AccountAdopted { email }
            | Self::UserDeleted { email } => {
                json!({ "email": email })
            }
            Self::AccountLinked { provider } => json!({ "provider": provider }),
            Self::CodeRequested { purpose } => json!({ "purpose": purpose }),
            Self::DeviceRequested { client }
            | Self::DeviceApproved { client }
            | Self::DeviceDenied { client } => json!({ "client": client }),
            Self::PhoneNumberChanged { number } => json!({ "phoneNumber": number }),
            Self::UsernameChanged { username } => json!({ "username": username }),
            Self::GuestLinked { guest } => json!({ "guest": guest }),
            Self::SessionRevoked { session }
            | Self::OneTimeTokenMade { session }
            | Self::OneTimeTokenUsed { session } => json!({ "session": session }),
            Self::BackupCodeUsed { left } => json!({ "left": left }),
            Self::PasskeyAdded { passkey } | Self::PasskeyRemoved { passkey } => {
                json!({ "passkey": passkey })
            }
            Self::EmailChanged { from, to } => json!({ "from": from, "to": to }),
            Self::Refused { why, email: None, detail } => {
                json!({ "why": why.as_str(), "detail": detail })
            }
            Self::Refused { why, email, .. } => json!({ "why": why.as_str(), "email": email }),
            Self::ApiKeyCreated { key }
            | Self::ApiKeyChanged { key }
            | Self::ApiKeyDeleted { key } => json!({ "key": key }),
            Self::ByAdmin { deed, by } => deed.details(*by),
            Self::Organization { organization, about, .. } => {
                json!({ "organization": organization, "about": about })
            }
            Self::Limited { path } => json!({ "path": path }),
            Self::KeyRotated { kid } => json!({ "kid": kid }),
            Self::SignedOut
            | Self::SessionsRevoked
            | Self::PasswordChanged
            | Self::PasswordResetRequested
            | Self::PasswordReset
            | Self::EmailVerified
            | Self::AccountUnlinked
            | Self::TwoFactorAsked
            | Self::TwoFactorEnabled
            | Self::TwoFactorDisabled
            | Self::BackupCodesReplaced
            | Self::DeviceTrusted => Value::Null,
        }
    }

    const fn session(&self) -> Option<Uuid> {
        match self {
            Self::ByAdmin { deed, .. } => deed.session(),
            Self::SignedIn { session, .. }
            | Self::SessionRevoked { session }
            | Self::OneTimeTokenMade { session }
            | Self::OneTimeTokenUsed { session } => Some(*session),
            _ => None,
        }
    }
}

/// An event with the request that caused it, as watchers see it.
#[derive(Clone, Debug)]
pub struct Happened {
    /// What.
    pub event: Event,
    /// About whom.
    pub user: Option<Uuid>,
    /// From where.
    pub address: String,
    /// In which request.
    pub request_id: String,
}

/// Records an event in the caller's transaction, so that it stands if and only if the deed does.
///
/// # Errors
/// Those of Postgres.
pub async fn record(
    app: &App,
    conn: &impl GenericClient,
    call: &Call,
    event: Event,
    user: Option<Uuid>,
) -> Result<()> {
    let statement = conn.prepare_cached(RECORD.sql).await?;
    let address = call.address();
    conn.execute(
        &statement,
        &[
            &call.now,
            &event.name(),
            &user,
            &event.session(),
            &address,
            &call.request_id,
            &event.details(),
        ],
    )
    .await?;
    announce(app, call, event, user);
    Ok(())
}

/// Records that somebody was turned away. The refusal stands even when it cannot be written down.
pub async fn refused(app: &App, call: &Call, why: Refused, email: Option<&str>) {
    let email = email.map(str::to_owned);
    record_alone(app, call, Event::Refused { why, email, detail: None }).await;
}

/// Records that a request was turned away for where it came from.
pub async fn refused_origin(app: &App, call: &Call, detail: &str) {
    let (why, detail) = (Refused::Origin, Some(detail.to_owned()));
    record_alone(app, call, Event::Refused { why, email: None, detail }).await;
}

/// Records an event that has no transaction of its own; what cannot be written down is logged.
pub async fn record_alone(app: &App, call: &Call, event: Event) {
    let written = async { record(app, &connection(app).await?, call, event.clone(), None).await };
    if let Err(error) = written.await {
        tracing::warn!(event = event.name(), cause = ?error, "the audit table could not be written");
        announce(app, call, event, None);
    }
}

/// Tells log, metrics and watchers without writing the audit table.
pub fn announce(app: &App, call: &Call, event: Event, user: Option<Uuid>) {
    app.metrics.happened(&event);
    tracing::info!(event = event.name(), details = %event.details(), user = user.map(tracing::field::display), "security");
    // Nobody watching is no failure.
    let _ = app.watchers.send(Happened {
        event,
        user,
        address: call.address(),
        request_id: call.request_id.clone(),
    });
}
