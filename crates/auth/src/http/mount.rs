//! Where the API is mounted: a base path, its URL, and the cookies that belong to it.

use gatepost_protocol::cookie::CookieProfile;
use url::Url;

use crate::config::Config;

/// Which clients a mount is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `better-auth/client` at `/api/auth`.
    BetterAuth,
    /// `@neondatabase/auth` at `/{project}/auth`: cookies that cross origins, tokens for the Data API.
    Neon,
}

/// One mount.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Whose conventions apply.
    pub layout: Layout,
    /// Begins with a slash, has none at its end.
    pub path: String,
    /// Public URL with the path: what links in mail begin with.
    pub base: String,
    /// Names and attributes of its cookies.
    pub cookies: CookieProfile,
}

impl Mount {
    /// The mounts of a configuration: the Neon layout always, the Better Auth layout unless it is switched off.
    #[must_use]
    pub fn all(config: &Config, public_url: &Url) -> Vec<Self> {
        let origin = public_url.origin().ascii_serialization();
        let https = public_url.scheme() == "https";
        let neon = Self::new(
            Layout::Neon,
            format!("/{}/auth", config.project),
            &origin,
            neon_cookies(config),
        );
        let path = config.base_path.trim_end_matches('/');
        if path.is_empty() || path == neon.path {
            return vec![neon];
        }
        let better_auth = Self::new(
            Layout::BetterAuth,
            path.to_owned(),
            &origin,
            better_auth_cookies(config, https),
        );
        vec![better_auth, neon]
    }

    fn new(layout: Layout, path: String, origin: &str, cookies: CookieProfile) -> Self {
        let base = format!("{origin}{path}");
        Self { layout, path, base, cookies }
    }
}

fn better_auth_cookies(config: &Config, https: bool) -> CookieProfile {
    let secure = config.cookies.secure.unwrap_or(https);
    CookieProfile {
        domain: config.cookies.domain.clone(),
        ..CookieProfile::better_auth(&config.cookies.prefix, secure)
    }
}

/// The clients hard-code these names and need them on a plain-http localhost too, where browsers accept `Secure`.
fn neon_cookies(config: &Config) -> CookieProfile {
    CookieProfile::neon(&config.cookies.neon_prefix)
}
