//! From an identity at a provider to a user here.
//!
//! An identity is found by provider and subject. By its address it joins a user only when both sides have proven it
//! (OA-17); a user who never did is taken over without what was left there before (OA-16).

use deadpool_postgres::GenericClient;
use gatepost_protocol::random;
use uuid::Uuid;

use super::{
    config::UnprovenUsers, exchange::Tokens, profile::Identity, provider::Provider, seal,
    state::Link,
};
use crate::{
    account::identities::{self, Linked, Owner, Sealed},
    app::App,
    email_verification,
    error::Result,
    events::{self, Event},
    http::Call,
    session::store::list_sessions,
    user::{
        Email, User, is_banned, proven,
        store::{self as users, Change, EmailChange, NewUser},
    },
};

/// What becomes of somebody who signs in.
pub(super) enum Judged {
    /// Welcome.
    In {
        user: User,
        /// Created just now.
        newcomer: bool,
    },
    /// Shut out.
    Banned(User),
    /// Not this way, in Better Auth's words.
    Refused(&'static str),
}

pub(super) const SIGN_UP_DISABLED: &str = "signup disabled";
pub(super) const NOT_LINKED: &str = "account not linked";
const UNABLE_TO_LINK: &str = "unable to link account";
const UNABLE_TO_CREATE: &str = "unable to create user";
/// The provider, or this server, wants a proven address first.
pub(super) const EMAIL_NOT_VERIFIED: &str = "email_not_verified";

/// Somebody at the door.
pub(super) struct Arrival<'a> {
    pub(super) provider: &'a Provider,
    pub(super) identity: &'a Identity,
    pub(super) email: &'a Email,
    pub(super) tokens: &'a Tokens,
    /// The application asked for a sign-up.
    pub(super) sign_up_requested: bool,
    /// For the mail that asks for a proof of the address.
    pub(super) callback_url: Option<&'a str>,
}

/// The user who signs in. The caller commits, whatever the answer.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn judge(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    arrival: &Arrival<'_>,
) -> Result<Judged> {
    let (provider, identity) = (arrival.provider, arrival.identity);
    identities::lock(conn, &provider.id, &identity.subject).await?;
    let mut owners = identities::owners(conn, &provider.id, &identity.subject).await?;
    let judged = match (owners.pop(), owners.is_empty()) {
        (Some(owner), true) => known(app, call, conn, arrival, owner).await?,
        // Two users with one identity: nobody can say whose it is (OA-13).
        (Some(_), false) => Judged::Refused(UNABLE_TO_LINK),
        (None, _) => match users::find_user_by_email(conn, arrival.email).await? {
            Some(user) => same_address(app, call, conn, arrival, user).await?,
            None => newcomer(app, call, conn, arrival).await?,
        },
    };
    match judged {
        Judged::In { user, newcomer } if proof_is_missing(arrival, &user) => {
            if !newcomer && app.config.email_verification.send_on_sign_in {
                email_verification::send(app, call, conn, &user, arrival.callback_url).await?;
            }
            Ok(Judged::Refused(EMAIL_NOT_VERIFIED))
        }
        judged => Ok(judged),
    }
}

fn proof_is_missing(arrival: &Arrival<'_>, user: &User) -> bool {
    arrival.provider.settings.require_verified_email && !user.email_verified
}

async fn known(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    arrival: &Arrival<'_>,
    owner: Owner,
) -> Result<Judged> {
    let Owner { mut user, account, .. } = owner;
    if is_banned(&user, call.now) {
        return Ok(Judged::Banned(user));
    }
    // Scopes are those that a link asked for; a sign-in asks for fewer.
    let tokens = Sealed { scope: None, ..seal::seal(app, arrival.tokens) };
    identities::update(conn, account, &tokens, call.now).await?;
    let proves = arrival.identity.email_verified && arrival.email.as_str() == user.email;
    if proves && !user.email_verified {
        user = match app.config.social.unproven_users {
            UnprovenUsers::TakenOver => {
                proven::adopt_keeping(app, call, conn, user, Some(account)).await?
            }
            UnprovenUsers::Refused | UnprovenUsers::Linked => mark(call, conn, user).await?,
        };
    }
    if arrival.provider.settings.override_user_info {
        user = overwrite(call, conn, arrival, user).await?;
    }
    Ok(Judged::In { user, newcomer: false })
}

async fn same_address(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    arrival: &Arrival<'_>,
    mut user: User,
) -> Result<Judged> {
    let (config, verified) = (&app.config.social, arrival.identity.email_verified);
    let vouched = verified || arrival.provider.trusted;
    if !config.linking || !config.link_by_email || !vouched {
        return Ok(Judged::Refused(NOT_LINKED));
    }
    if is_banned(&user, call.now) {
        return Ok(Judged::Banned(user));
    }
    if !user.email_verified {
        user = match config.unproven_users {
            // The operator's word for a provider is no proof of a mailbox.
            UnprovenUsers::TakenOver if verified => proven::adopt(app, call, conn, user).await?,
            UnprovenUsers::Linked if verified => mark(call, conn, user).await?,
            UnprovenUsers::Linked => user,
            UnprovenUsers::TakenOver | UnprovenUsers::Refused => {
                return Ok(Judged::Refused(NOT_LINKED));
            }
        };
    }
    attach(app, call, conn, arrival.provider, user.id, arrival.identity, arrival.tokens).await?;
    if config.update_user_on_link {
        user = copy_profile(call, conn, arrival.identity, user).await?;
    }
    if arrival.provider.settings.override_user_info {
        user = overwrite(call, conn, arrival, user).await?;
    }
    Ok(Judged::In { user, newcomer: false })
}

async fn newcomer(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    arrival: &Arrival<'_>,
) -> Result<Judged> {
    let identity = arrival.identity;
    if !app.config.social.sign_up || !arrival.provider.signs_up(arrival.sign_up_requested) {
        return Ok(Judged::Refused(SIGN_UP_DISABLED));
    }
    let new = NewUser {
        id: random::uuid(),
        name: &identity.name,
        email: arrival.email,
        email_verified: identity.email_verified,
        image: identity.image.as_deref(),
    };
    let created = users::create_user(conn, &new, &app.config.features, call.now).await?;
    // Somebody took the address a moment ago.
    let Some(user) = created else { return Ok(Judged::Refused(UNABLE_TO_CREATE)) };
    attach(app, call, conn, arrival.provider, user.id, identity, arrival.tokens).await?;
    let event = Event::SignedUp { email: user.email.clone() };
    events::record(app, conn, call, event, Some(user.id)).await?;
    let asks = app.config.email_verification.sends_on_sign_up(&app.config.email_password)
        || proof_is_missing(arrival, &user);
    if asks && app.config.email_verification.enabled && !user.email_verified {
        email_verification::send(app, call, conn, &user, arrival.callback_url).await?;
    }
    Ok(Judged::In { user, newcomer: true })
}

async fn attach(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    provider: &Provider,
    user: Uuid,
    identity: &Identity,
    tokens: &Tokens,
) -> Result<()> {
    let linked = Linked {
        id: random::uuid(),
        user,
        provider_id: provider.id.clone(),
        subject: identity.subject.clone(),
        tokens: seal::seal(app, tokens),
    };
    identities::create(conn, &linked, call.now).await?;
    let event = Event::AccountLinked { provider: provider.id.clone() };
    events::record(app, conn, call, event, Some(user)).await
}

async fn mark(call: &Call, conn: &impl GenericClient, user: User) -> Result<User> {
    Ok(users::verify_email(conn, user.id, &user.email, call.now).await?.unwrap_or(user))
}

async fn copy_profile(
    call: &Call,
    conn: &impl GenericClient,
    identity: &Identity,
    user: User,
) -> Result<User> {
    let change = Change {
        name: (!identity.name.is_empty()).then(|| identity.name.clone()),
        image: identity.image.clone().map(Some),
    };
    Ok(users::update_user(conn, user.id, &change, call.now).await?.unwrap_or(user))
}

/// Name and picture; the address too, where it is proven and nobody else's.
async fn overwrite(
    call: &Call,
    conn: &impl GenericClient,
    arrival: &Arrival<'_>,
    user: User,
) -> Result<User> {
    let user = copy_profile(call, conn, arrival.identity, user).await?;
    let moved = arrival.identity.email_verified && arrival.email.as_str() != user.email;
    if !moved || users::find_user_by_email(conn, arrival.email).await?.is_some() {
        return Ok(user);
    }
    let changed =
        users::update_email(conn, user.id, &user.email, arrival.email, true, call.now).await?;
    Ok(match changed {
        EmailChange::Changed(changed) => *changed,
        EmailChange::Taken | EmailChange::Outdated => user,
    })
}

/// Why an identity was not linked, as `error` of the redirect.
pub(super) enum NotLinked {
    Unable,
    OtherAddress,
    OtherUser,
}

impl NotLinked {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Unable => "unable_to_link_account",
            Self::OtherAddress => "email_does_not_match",
            Self::OtherUser => "account_already_linked_to_different_user",
        }
    }
}

/// Gives the user of a flow the identity that it came back with.
///
/// # Errors
/// Those of Postgres.
pub(super) async fn link(
    app: &App,
    call: &Call,
    conn: &impl GenericClient,
    provider: &Provider,
    link: &Link,
    identity: &Identity,
    tokens: &Tokens,
) -> Result<std::result::Result<(), NotLinked>> {
    // Signed out, or shut out, while the browser was away: nothing is added any more.
    let sessions = list_sessions(conn, link.user_id, call.now).await?;
    let Some(user) = users::find_user(conn, link.user_id).await? else {
        return Ok(Err(NotLinked::Unable));
    };
    let gone = !sessions.iter().any(|session| session.id == link.session_id);
    if gone || is_banned(&user, call.now) || !may_link(app, provider, identity) {
        return Ok(Err(NotLinked::Unable));
    }
    if !same_mailbox(app, identity, &user) {
        return Ok(Err(NotLinked::OtherAddress));
    }
    identities::lock(conn, &provider.id, &identity.subject).await?;
    let owners = identities::owners(conn, &provider.id, &identity.subject).await?;
    if owners.iter().any(|owner| owner.user.id != user.id) {
        return Ok(Err(NotLinked::OtherUser));
    }
    match owners.first() {
        Some(owner) => {
            let mut sealed = seal::seal(app, tokens);
            sealed.scope = merged(owner.scope.as_deref(), &tokens.scopes);
            identities::update(conn, owner.account, &sealed, call.now).await?;
        }
        None => attach(app, call, conn, provider, user.id, identity, tokens).await?,
    }
    if app.config.social.update_user_on_link {
        copy_profile(call, conn, identity, user).await?;
    }
    Ok(Ok(()))
}

/// Somebody vouches for the address, and linking is on.
pub(super) fn may_link(app: &App, provider: &Provider, identity: &Identity) -> bool {
    app.config.social.linking && (provider.trusted || identity.email_verified)
}

/// The address is the user's, or need not be.
pub(super) fn same_mailbox(app: &App, identity: &Identity, user: &User) -> bool {
    app.config.social.allow_different_emails
        || identity.email.as_ref().is_some_and(|email| email.as_str() == user.email)
}

fn merged(stored: Option<&str>, granted: &[String]) -> Option<String> {
    let stored = stored.unwrap_or_default().split(',').map(str::trim);
    let mut all: Vec<&str> = Vec::new();
    for scope in stored.chain(granted.iter().map(String::as_str)) {
        if !scope.is_empty() && !all.contains(&scope) {
            all.push(scope);
        }
    }
    (!all.is_empty()).then(|| all.join(","))
}
