//! What is known of providers: one row each.

/// A kind of provider. `{base}` and `{tenant}` in its addresses come from the settings.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// What `{base}` stands for, unless `issuer` says otherwise.
    pub(super) base: &'static str,
    pub(super) authorization: &'static str,
    pub(super) token: &'static str,
    /// Empty: there is none.
    pub(super) userinfo: &'static str,
    /// The keys that sign id tokens. Empty: id tokens are not looked at.
    pub(super) keys: &'static str,
    /// What may stand in `iss` of an id token.
    pub(super) issuers: &'static [&'static str],
    pub(super) scopes: &'static [&'static str],
    pub(super) parameters: &'static [(&'static str, &'static str)],
    pub(super) pkce: bool,
    /// The secret goes into the `Authorization` header instead of the form.
    pub(super) basic: bool,
    /// An id token that an application presents may be this old, in seconds; 0: as old as it says.
    pub(super) oldest_id_token: i64,
    pub(super) profile: Members,
}

/// Where the profile comes from, and where its members stand, as JSON pointers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members {
    pub(super) source: Source,
    /// The first that is there counts, as for names.
    pub(super) subject: &'static [&'static str],
    pub(super) name: &'static [&'static str],
    pub(super) email: &'static str,
    pub(super) verified: Verified,
    pub(super) image: Image,
    /// Users without an address get one at `{this}.placeholder.invalid`. Empty: they are refused.
    pub(super) placeholder: &'static str,
}

/// Where the profile comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The id token; the userinfo endpoint when there is no id token.
    IdToken,
    /// The userinfo endpoint.
    Userinfo,
    /// An id token that names an address; otherwise the userinfo endpoint.
    Either,
}

/// How the provider says that it has verified the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verified {
    /// By a truth value.
    Member(&'static str),
    /// By naming the address here, alone or in a list.
    Among(&'static [&'static str]),
    /// By the list of addresses at `{userinfo}/emails`.
    GitHub,
}

/// Where the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// Its address is a member.
    Member(&'static str),
    /// Its address is made of two members: `{0}` and `{1}`.
    Made(&'static str, &'static str, &'static str),
}

const OPENID: Members = Members {
    source: Source::Either,
    subject: &["/sub"],
    name: &["/name", "/preferred_username"],
    email: "/email",
    verified: Verified::Member("/email_verified"),
    image: Image::Member("/picture"),
    placeholder: "",
};

const EMPTY: Known = Known {
    kind: "",
    name: "",
    base: "",
    authorization: "",
    token: "",
    userinfo: "",
    keys: "",
    issuers: &[],
    scopes: &[],
    parameters: &[],
    pkce: false,
    basic: false,
    oldest_id_token: 0,
    profile: OPENID,
};

const HOUR: i64 = 60 * 60;

/// Any OpenID Connect issuer: addresses come from its discovery document.
pub(super) const OIDC: &str = "oidc";
/// Anything else that speaks OAuth 2.0: addresses come from the settings.
pub(super) const OAUTH2: &str = "oauth2";
/// Apple shows its secret as a signed token.
pub(super) const APPLE: &str = "apple";
/// Microsoft's issuer differs from one directory to the next.
pub(super) const MICROSOFT: &str = "microsoft";

/// Every kind.
pub(super) const KINDS: &[Known] = &[
    Known { kind: OIDC, pkce: true, ..EMPTY },
    Known {
        kind: OAUTH2,
        pkce: true,
        profile: Members { subject: &["/id", "/sub"], ..OPENID },
        ..EMPTY
    },
    Known {
        kind: "google",
        name: "Google",
        authorization: "https://accounts.google.com/o/oauth2/v2/auth",
        token: "https://oauth2.googleapis.com/token",
        userinfo: "https://openidconnect.googleapis.com/v1/userinfo",
        keys: "https://www.googleapis.com/oauth2/v3/certs",
        issuers: &["https://accounts.google.com", "accounts.google.com"],
        scopes: &["email", "profile", "openid"],
        parameters: &[("include_granted_scopes", "true")],
        pkce: true,
        oldest_id_token: HOUR,
        profile: Members { source: Source::IdToken, name: &["/name"], ..OPENID },
        ..EMPTY
    },
    Known {
        kind: "github",
        name: "GitHub",
        base: "https://github.com",
        authorization: "{base}/login/oauth/authorize",
        token: "{base}/login/oauth/access_token",
        userinfo: "https://api.github.com/user",
        scopes: &["read:user", "user:email"],
        pkce: true,
        profile: Members {
            source: Source::Userinfo,
            subject: &["/id"],
            name: &["/name", "/login"],
            verified: Verified::GitHub,
            image: Image::Member("/avatar_url"),
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: "vercel",
        name: "Vercel",
        authorization: "https://vercel.com/oauth/authorize",
        token: "https://api.vercel.com/login/oauth/token",
        userinfo: "https://api.vercel.com/login/oauth/userinfo",
        scopes: &["openid", "email", "profile"],
        pkce: true,
        profile: Members { source: Source::Userinfo, ..OPENID },
        ..EMPTY
    },
    Known {
        kind: MICROSOFT,
        name: "Microsoft",
        base: "https://login.microsoftonline.com",
        authorization: "{base}/{tenant}/oauth2/v2.0/authorize",
        token: "{base}/{tenant}/oauth2/v2.0/token",
        keys: "{base}/{tenant}/discovery/v2.0/keys",
        scopes: &["openid", "profile", "email", "User.Read", "offline_access"],
        pkce: true,
        oldest_id_token: HOUR,
        profile: Members {
            source: Source::IdToken,
            // `sub` differs from one application to the next; this is the one that Better Auth stores.
            subject: &["/oid"],
            name: &["/name"],
            // `email` is what a directory's administrator wrote there; these two are what the directory has proven.
            verified: Verified::Among(&["/verified_primary_email", "/verified_secondary_email"]),
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: APPLE,
        name: "Apple",
        authorization: "https://appleid.apple.com/auth/authorize",
        token: "https://appleid.apple.com/auth/token",
        keys: "https://appleid.apple.com/auth/keys",
        issuers: &["https://appleid.apple.com"],
        scopes: &["email", "name"],
        parameters: &[("response_mode", "form_post")],
        pkce: true,
        oldest_id_token: HOUR,
        profile: Members { source: Source::IdToken, name: &["/name"], ..OPENID },
        ..EMPTY
    },
    Known {
        kind: "discord",
        name: "Discord",
        authorization: "https://discord.com/api/oauth2/authorize",
        token: "https://discord.com/api/oauth2/token",
        userinfo: "https://discord.com/api/users/@me",
        scopes: &["identify", "email"],
        parameters: &[("prompt", "none")],
        profile: Members {
            source: Source::Userinfo,
            subject: &["/id"],
            name: &["/global_name", "/username"],
            verified: Verified::Member("/verified"),
            image: Image::Made("https://cdn.discordapp.com/avatars/{0}/{1}.png", "/id", "/avatar"),
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: "gitlab",
        name: "GitLab",
        base: "https://gitlab.com",
        authorization: "{base}/oauth/authorize",
        token: "{base}/oauth/token",
        userinfo: "{base}/api/v4/user",
        scopes: &["read_user"],
        pkce: true,
        profile: Members {
            source: Source::Userinfo,
            subject: &["/id"],
            name: &["/name", "/username"],
            image: Image::Member("/avatar_url"),
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: "facebook",
        name: "Facebook",
        authorization: "https://www.facebook.com/v24.0/dialog/oauth",
        token: "https://graph.facebook.com/v24.0/oauth/access_token",
        userinfo: "https://graph.facebook.com/me?fields=id,name,email,picture",
        // Of Limited Login, whose id tokens an application presents.
        keys: "https://limited.facebook.com/.well-known/oauth/openid/jwks/",
        issuers: &["https://www.facebook.com", "https://limited.facebook.com"],
        scopes: &["email", "public_profile"],
        profile: Members {
            subject: &["/sub", "/id"],
            name: &["/name"],
            image: Image::Member("/picture/data/url"),
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: "linkedin",
        name: "LinkedIn",
        authorization: "https://www.linkedin.com/oauth/v2/authorization",
        token: "https://www.linkedin.com/oauth/v2/accessToken",
        userinfo: "https://api.linkedin.com/v2/userinfo",
        scopes: &["profile", "email", "openid"],
        profile: Members { source: Source::Userinfo, name: &["/name"], ..OPENID },
        ..EMPTY
    },
    Known {
        kind: "slack",
        name: "Slack",
        authorization: "https://slack.com/openid/connect/authorize",
        token: "https://slack.com/api/openid.connect.token",
        userinfo: "https://slack.com/api/openid.connect.userInfo",
        scopes: &["openid", "profile", "email"],
        profile: Members {
            source: Source::Userinfo,
            subject: &["/https:~1~1slack.com~1user_id"],
            name: &["/name"],
            ..OPENID
        },
        ..EMPTY
    },
    Known {
        kind: "twitter",
        name: "X",
        authorization: "https://x.com/i/oauth2/authorize",
        token: "https://api.x.com/2/oauth2/token",
        userinfo: "https://api.x.com/2/users/me?user.fields=profile_image_url,confirmed_email",
        scopes: &["users.read", "tweet.read", "offline.access", "users.email"],
        pkce: true,
        basic: true,
        profile: Members {
            source: Source::Userinfo,
            subject: &["/data/id"],
            name: &["/data/name", "/data/username"],
            email: "/data/confirmed_email",
            verified: Verified::Among(&["/data/confirmed_email"]),
            image: Image::Member("/data/profile_image_url"),
            placeholder: "twitter",
        },
        ..EMPTY
    },
    Known {
        kind: "twitch",
        name: "Twitch",
        authorization: "https://id.twitch.tv/oauth2/authorize",
        token: "https://id.twitch.tv/oauth2/token",
        userinfo: "https://id.twitch.tv/oauth2/userinfo",
        keys: "https://id.twitch.tv/oauth2/keys",
        issuers: &["https://id.twitch.tv/oauth2"],
        scopes: &["user:read:email", "openid"],
        parameters: &[(
            "claims",
            r#"{"id_token":{"email":null,"email_verified":null,"preferred_username":null,"picture":null}}"#,
        )],
        profile: Members { source: Source::IdToken, name: &["/preferred_username"], ..OPENID },
        ..EMPTY
    },
    Known {
        kind: "spotify",
        name: "Spotify",
        authorization: "https://accounts.spotify.com/authorize",
        token: "https://accounts.spotify.com/api/token",
        userinfo: "https://api.spotify.com/v1/me",
        scopes: &["user-read-email"],
        pkce: true,
        profile: Members {
            source: Source::Userinfo,
            subject: &["/id"],
            name: &["/display_name"],
            // Spotify does not say that it has verified an address.
            verified: Verified::Among(&[]),
            image: Image::Member("/images/0/url"),
            ..OPENID
        },
        ..EMPTY
    },
];
