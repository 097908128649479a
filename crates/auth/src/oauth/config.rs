//! The settings of sign-in at other providers.

use std::collections::BTreeMap;

use gatepost_protocol::secret::Secret;
use serde::{Deserialize, Serialize};

/// Sign-in at other providers: Google, GitHub, any OpenID Connect issuer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The providers, by an id that becomes part of the callback URL `/callback/{id}`: `[social.providers.google]`.
    pub providers: BTreeMap<String, Provider>,
    /// Whoever signs in for the first time gets a user.
    pub sign_up: bool,
    /// Link accounts at all, by a signed-in user or by address.
    pub linking: bool,
    /// A new identity joins the user of the same address, when the provider and the user have both proven it.
    pub link_by_email: bool,
    /// Providers whose addresses count as theirs to vouch for, even where they do not say that one is verified.
    pub trusted_providers: Vec<String>,
    /// What becomes of a user who never proved the address, when a provider proves it for somebody.
    pub unproven_users: UnprovenUsers,
    /// A signed-in user may link an identity with another address.
    pub allow_different_emails: bool,
    /// Linking an identity copies its name and picture.
    pub update_user_on_link: bool,
    /// A user may remove the last way in.
    pub allow_unlinking_all: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            providers: BTreeMap::new(),
            sign_up: true,
            linking: true,
            link_by_email: true,
            trusted_providers: Vec::new(),
            unproven_users: UnprovenUsers::TakenOver,
            allow_different_emails: false,
            update_user_on_link: false,
            allow_unlinking_all: false,
        }
    }
}

/// What becomes of a user with an unproven address whose owner signs in at a provider (OA-16).
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum UnprovenUsers {
    /// The owner gets the user, without the passwords, accounts and sessions that came before the proof.
    #[default]
    TakenOver,
    /// The owner is refused with `account_not_linked`, as in Better Auth.
    Refused,
    /// The owner gets the user and what came before the proof stays good: Better Auth without `requireLocalEmailVerified`.
    Linked,
}

/// One provider.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// `google`, `github`, …; `oidc` for any OpenID Connect issuer; `oauth2` for anything else. Empty: the id.
    pub kind: String,
    /// Name on buttons; empty: that of the kind, or the id.
    pub name: String,
    /// The id that the provider gave this application.
    pub client_id: String,
    /// Further ids of this application, as those of its mobile apps, whose id tokens are accepted too.
    pub more_client_ids: Vec<String>,
    /// The secret that goes with it.
    pub client_secret: Secret,
    /// `oidc`: the issuer, whose discovery document says the rest. `gitlab`, `github`, `microsoft`: another server.
    pub issuer: String,
    /// Where the discovery document is, when it is not below the issuer.
    pub discovery_url: String,
    /// Microsoft: a directory's id, `common`, `organizations` or `consumers`.
    pub tenant: String,
    /// Where the user agrees; set, it wins over the kind's and over discovery.
    pub authorization_url: String,
    /// Where codes become tokens.
    pub token_url: String,
    /// Where the profile is.
    pub userinfo_url: String,
    /// Where the keys are that sign id tokens.
    pub jwks_url: String,
    /// What is asked for beside the scopes of the kind.
    pub scopes: Vec<String>,
    /// Ask for the scopes of the kind.
    pub default_scopes: bool,
    /// Proof Key for Code Exchange (RFC 7636); unset: where the provider supports it.
    pub pkce: Option<bool>,
    /// Bind the id token to the browser by a nonce; unset: where there is an id token that can be verified.
    pub nonce: Option<bool>,
    /// How the secret is shown: `basic`, `post`, or `none` for a public client; unset: as the provider asks for.
    pub token_auth: Option<TokenAuth>,
    /// `prompt` of the authorization request, such as `select_account`.
    pub prompt: String,
    /// Further parameters of the authorization request.
    pub authorization_params: BTreeMap<String, String>,
    /// Google: only accounts of this Workspace domain, or of any for `*`.
    pub hosted_domain: String,
    /// Whether a first sign-in creates a user.
    pub sign_up: SignUp,
    /// Every sign-in copies name and picture, and the address where the provider says that it is verified.
    pub override_user_info: bool,
    /// Nobody signs in whose address is not proven.
    pub require_verified_email: bool,
    /// An application may present an id token that it got itself.
    pub id_token_sign_in: bool,
    /// `oauth2`: take the profile from an id token that no key can verify, since it came straight from the token endpoint.
    pub unverified_id_token: bool,
    /// Registered at the provider with the older callback URL `/oauth2/callback/{id}`.
    pub older_callback: bool,
    /// Apple: the team's id.
    pub team_id: String,
    /// Apple: the id of the key.
    pub key_id: String,
    /// Apple: the key, the text of the `.p8` file.
    pub private_key: Secret,
    /// Where members stand in the profile, as JSON pointers (RFC 6901); empty: where the kind has them.
    pub profile: Pointers,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            kind: String::new(),
            name: String::new(),
            client_id: String::new(),
            more_client_ids: Vec::new(),
            client_secret: Secret::default(),
            issuer: String::new(),
            discovery_url: String::new(),
            tenant: String::new(),
            authorization_url: String::new(),
            token_url: String::new(),
            userinfo_url: String::new(),
            jwks_url: String::new(),
            scopes: Vec::new(),
            default_scopes: true,
            pkce: None,
            nonce: None,
            token_auth: None,
            prompt: String::new(),
            authorization_params: BTreeMap::new(),
            hosted_domain: String::new(),
            sign_up: SignUp::Allowed,
            override_user_info: false,
            require_verified_email: false,
            id_token_sign_in: true,
            unverified_id_token: false,
            older_callback: false,
            team_id: String::new(),
            key_id: String::new(),
            private_key: Secret::default(),
            profile: Pointers::default(),
        }
    }
}

/// How a client shows its secret at the token endpoint (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TokenAuth {
    /// In the `Authorization` header.
    Basic,
    /// In the form.
    Post,
    /// Not at all: a public client.
    None,
}

/// Whether a first sign-in creates a user.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SignUp {
    /// Always.
    #[default]
    Allowed,
    /// When the application asks for it with `requestSignUp`.
    Requested,
    /// Never.
    Never,
}

/// Where members stand in a profile.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pointers {
    /// What never changes about the user: `/sub`.
    pub subject: String,
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Whether the provider has verified the address.
    pub email_verified: String,
    /// URL of a picture.
    pub image: String,
}
