//! The settings of the auth server, one struct per feature. Reading files and the environment is the binary's part.
//!
//! Every section refuses keys that it does not know. Durations are whole seconds.

use std::{collections::BTreeMap, fmt};

use gatepost_outbound::Reach;
use gatepost_protocol::secret::Secret;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::http::address;
pub use crate::{
    admin::Config as Admin,
    anonymous::Config as Anonymous,
    api_key::Config as ApiKeys,
    captcha::Config as Captcha,
    device::Config as Device,
    email_otp::Config as EmailOtp,
    email_verification::Config as EmailVerification,
    http::origin::AmbiguousRedirects,
    keys::Config as Jwt,
    last_login_method::Config as LastLoginMethod,
    magic_link::Config as MagicLink,
    mail::config::{InboxConfig as Inbox, MailConfig as Mail},
    next_step::Config as NextStep,
    oauth::config::{Config as Social, Provider as SocialProvider},
    one_time_token::Config as OneTimeToken,
    organization::Config as Organization,
    passkey::Config as Passkey,
    password::Config as EmailPassword,
    phone_number::Config as PhoneNumber,
    session::Config as Session,
    two_factor::Config as TwoFactor,
    user::{ChangeEmailConfig as ChangeEmail, DeleteUserConfig as DeleteUser},
    username::Config as Username,
    users_sync::Config as UsersSync,
};

/// Everything the auth server can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where users reach this server: scheme, host and port, without a path. Issuer and audience of tokens.
    pub public_url: String,
    /// Signs cookies and seals what is secret at rest; 32 characters or more.
    pub secret: Secret,
    /// Earlier secrets: still opened, no longer used to sign or seal.
    pub previous_secrets: Vec<Secret>,
    /// Name shown in mail and on pages.
    pub app_name: String,
    /// The project of the Neon layout `/{project}/auth`; empty: the name of the database.
    pub project: String,
    /// Where the Better Auth layout is mounted; empty: nowhere.
    pub base_path: String,
    /// Origins whose pages may call, and be redirected to: `https://app.example.com`, `https://*.example.com`, `myapp://`.
    pub trusted_origins: Vec<String>,
    /// Trust `http://localhost` and `https://localhost` on every port.
    pub allow_localhost: bool,
    /// Production answers: no details in errors, the error page redirects.
    pub production: bool,
    /// Send no caching and retry headers beyond those that Better Auth sends.
    pub recorded_headers_only: bool,
    /// Serve the older spellings `/forget-password` and `/forget-password/email`.
    pub older_routes: bool,
    /// What becomes of a redirect target that reads differently to different parsers.
    pub ambiguous_redirects: AmbiguousRedirects,
    /// Largest body accepted, in bytes.
    pub body_limit: usize,
    /// Whose word about the client's address is taken.
    pub client_address: ClientAddress,
    /// Cross-origin calls from browsers.
    pub cors: Cors,
    /// Rate limits.
    pub rate_limit: RateLimit,
    /// Names and attributes of the cookies under `base_path`.
    pub cookies: Cookies,
    /// Lifetime and storage of sessions.
    pub session: Session,
    /// Sign-up and sign-in by password.
    pub email_password: EmailPassword,
    /// Proof of addresses by mail.
    pub email_verification: EmailVerification,
    /// Sign-in by a mailed link.
    pub magic_link: MagicLink,
    /// Mailed codes.
    pub email_otp: EmailOtp,
    /// Sign-in at other providers.
    pub social: Social,
    /// Sign-in of devices by a code that is approved elsewhere.
    pub device: Device,
    /// Proof that a person is there.
    pub captcha: Captcha,
    /// User names.
    pub username: Username,
    /// Telephone numbers and codes by text message.
    pub phone_number: PhoneNumber,
    /// Guests.
    pub anonymous: Anonymous,
    /// Tokens that take a session over to another place.
    pub one_time_token: OneTimeToken,
    /// Which way somebody signed in last.
    pub last_login_method: LastLoginMethod,
    /// The second factor.
    pub two_factor: TwoFactor,
    /// Passkeys.
    pub passkey: Passkey,
    /// Change of address.
    pub change_email: ChangeEmail,
    /// Deletion of the own account.
    pub delete_user: DeleteUser,
    /// Administration of users.
    pub admin: Admin,
    /// API keys.
    pub api_key: ApiKeys,
    /// Organizations: limits, invitations, roles, teams.
    pub organization: Organization,
    /// Signing keys and tokens.
    pub jwt: Jwt,
    /// Delivery of mail.
    pub mail: Mail,
    /// Mail kept readable over HTTP, for development.
    pub inbox: Inbox,
    /// What may be used at all.
    pub features: Features,
    /// Where a user goes after signing in.
    pub next_step: NextStep,
    /// Users of outside providers in `neon_auth.users_sync`.
    pub users_sync: UsersSync,
    /// Calls that the server makes itself: to identity providers, gateways, webhooks.
    pub outbound: Outbound,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            secret: Secret::default(),
            previous_secrets: Vec::new(),
            app_name: "Gatepost".to_owned(),
            project: String::new(),
            base_path: "/api/auth".to_owned(),
            trusted_origins: Vec::new(),
            allow_localhost: false,
            production: true,
            recorded_headers_only: false,
            older_routes: true,
            ambiguous_redirects: AmbiguousRedirects::Refused,
            body_limit: 64 * 1024,
            client_address: ClientAddress::default(),
            cors: Cors::default(),
            rate_limit: RateLimit::default(),
            cookies: Cookies::default(),
            session: Session::default(),
            email_password: EmailPassword::default(),
            email_verification: EmailVerification::default(),
            magic_link: MagicLink::default(),
            email_otp: EmailOtp::default(),
            social: Social::default(),
            device: Device::default(),
            captcha: Captcha::default(),
            username: Username::default(),
            phone_number: PhoneNumber::default(),
            anonymous: Anonymous::default(),
            one_time_token: OneTimeToken::default(),
            last_login_method: LastLoginMethod::default(),
            two_factor: TwoFactor::default(),
            passkey: Passkey::default(),
            change_email: ChangeEmail::default(),
            delete_user: DeleteUser::default(),
            admin: Admin::default(),
            api_key: ApiKeys::default(),
            organization: Organization::default(),
            jwt: Jwt::default(),
            mail: Mail::default(),
            inbox: Inbox::default(),
            features: Features::default(),
            next_step: NextStep::default(),
            users_sync: UsersSync::default(),
            outbound: Outbound::default(),
        }
    }
}

impl Config {
    /// The secrets under which something may have been signed, the current one first.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret).chain(&self.previous_secrets)
    }
}

/// Whose word about the client's address is taken.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientAddress {
    /// `peer`: the socket's other end. `proxies`: X-Forwarded-For, as far as the listed proxies vouch for it.
    /// `single-hop`: Better Auth's reading, for a server that only one proxy can reach.
    pub mode: AddressMode,
    /// Networks of the proxies, for the mode of that name.
    pub trusted: Vec<IpNet>,
}

impl ClientAddress {
    /// The rule as the server applies it.
    #[must_use]
    pub fn resolver(&self) -> address::ClientAddress {
        match self.mode {
            AddressMode::Peer => address::ClientAddress::Peer,
            AddressMode::Proxies => address::ClientAddress::Proxies(self.trusted.clone()),
            AddressMode::SingleHop => address::ClientAddress::SingleHop,
        }
    }
}

/// See [`ClientAddress`].
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum AddressMode {
    /// The socket's other end.
    #[default]
    Peer,
    /// As far as listed proxies vouch.
    Proxies,
    /// One hop, taken as it is.
    SingleHop,
}

/// Cross-origin calls from browsers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Answer preflights and name trusted origins in answers.
    pub enabled: bool,
}

impl Default for Cors {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Rate limits.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// Count at all.
    pub enabled: bool,
    /// Where counts are kept.
    pub storage: LimitStorage,
    /// `redis://…`, for the storage of that name.
    pub redis_url: String,
    /// Path pattern (`/sign-in/*`) to its own window and number.
    pub rules: BTreeMap<String, LimitRule>,
    /// Mark browsers that signed in by a cookie, so that strangers' failures do not slow their users down.
    pub known_devices: bool,
    /// Failures after which further tries at one account must wait.
    pub account_failures: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            enabled: true,
            storage: LimitStorage::Postgres,
            redis_url: String::new(),
            rules: BTreeMap::new(),
            known_devices: true,
            account_failures: 5,
        }
    }
}

impl fmt::Debug for RateLimit {
    /// Without the URL of Redis, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("enabled", &self.enabled)
            .field("storage", &self.storage)
            .field("rules", &self.rules)
            .field("known_devices", &self.known_devices)
            .field("account_failures", &self.account_failures)
            .finish_non_exhaustive()
    }
}

/// Where counts are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LimitStorage {
    /// In the database: exact over all replicas.
    #[default]
    Postgres,
    /// In Redis or Valkey: exact over all replicas.
    Redis,
    /// In this process only.
    Memory,
}

/// A custom limit.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRule {
    /// Seconds.
    pub window: u32,
    /// Requests per window; 0 switches the limit off.
    pub max: u32,
}

/// Calls that the server makes itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Allow addresses of private networks and plain http: for an identity provider inside the own network, and for
    /// development. Otherwise whoever can name an address could reach into that network.
    pub private_networks: bool,
}

impl Outbound {
    /// Where calls may go.
    #[must_use]
    pub const fn reach(self) -> Reach {
        if self.private_networks { Reach::Anywhere } else { Reach::Public }
    }
}

/// Names and attributes of the cookies under `base_path`. Those of the Neon layout are fixed by its clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cookies {
    /// What names begin with.
    pub prefix: String,
    /// `Secure` and the name prefix `__Secure-`; unset: when the public URL is https.
    pub secure: Option<bool>,
    /// `Domain`, for sharing over sub-domains.
    pub domain: Option<String>,
    /// Names begin with this under the Neon layout.
    pub neon_prefix: String,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            prefix: "better-auth".to_owned(),
            secure: None,
            domain: None,
            neon_prefix: "__Secure-neon-auth".to_owned(),
        }
    }
}

/// What may be used at all; what is off is a 404, and its members are missing from users and sessions.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Features {
    /// Tokens and keys.
    pub jwt: bool,
    /// `Authorization: Bearer <session token>`.
    pub bearer: bool,
    /// Roles, bans, impersonation.
    pub admin: bool,
    /// Organizations.
    pub organization: bool,
    /// Teams inside organizations.
    pub teams: bool,
    /// Several accounts in one browser.
    pub multi_session: bool,
    /// Telephone numbers and codes by text message: `[phone_number]`.
    pub phone_number: bool,
    /// User names: `[username]`.
    pub username: bool,
    /// Guests: `[anonymous]`.
    pub anonymous: bool,
    /// The member that tells of a second factor.
    pub two_factor: bool,
    /// A cookie and a member that tell how the user last signed in: `[last_login_method]`.
    pub last_login_method: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            jwt: true,
            bearer: true,
            admin: true,
            organization: true,
            teams: false,
            multi_session: false,
            phone_number: false,
            username: false,
            anonymous: false,
            two_factor: false,
            last_login_method: false,
        }
    }
}
