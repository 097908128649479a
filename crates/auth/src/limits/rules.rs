//! Which limit a path has: the defaults of Better Auth 1.7, and what the configuration says instead.

use super::Limit;

/// Where a default holds.
enum Paths {
    Are(&'static [&'static str]),
    Begin(&'static [&'static str]),
}

/// The first that matches counts: rules of features before the general ones, as in Better Auth.
const DEFAULTS: [(Paths, u32, u32); 8] = [
    (
        Paths::Are(&[
            "/email-otp/send-verification-otp",
            "/email-otp/check-verification-otp",
            "/email-otp/verify-email",
            "/email-otp/request-password-reset",
            "/email-otp/reset-password",
            "/email-otp/passcode",
            "/email-otp/request-email-change",
            "/email-otp/change-email",
            "/sign-in/email-otp",
            "/forget-password/email-otp",
            "/request-password-reset",
            "/send-verification-email",
        ]),
        60,
        3,
    ),
    (Paths::Begin(&["/sign-in/magic-link", "/magic-link/verify"]), 60, 5),
    (Paths::Begin(&["/phone-number"]), 60, 10),
    (Paths::Begin(&["/two-factor/"]), 10, 3),
    (Paths::Are(&["/device"]), 30 * 60, 5),
    (Paths::Are(&["/device/page", "/second-factor"]), 60, 20),
    (Paths::Begin(&["/sign-in", "/sign-up", "/change-password", "/change-email"]), 10, 3),
    (Paths::Begin(&["/forget-password"]), 60, 3),
];

const ANYTHING_ELSE: Limit = request(10, 100);

const fn request(window: u32, max: u32) -> Limit {
    Limit { name: "request", window, max }
}

/// A rule of the configuration: a path, or a pattern in which `*` stands for part of a segment and `**` for segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRule {
    /// A path below the base path, such as `/sign-in/email` or `/sign-in/*`.
    pub path: String,
    /// Seconds and requests; nothing switches the limit off.
    pub limit: Option<(u32, u32)>,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit rule for {path:?} is refused: {why}")]
pub struct BadRule {
    /// The path as configured.
    pub path: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The limits of all paths.
#[derive(Clone, Debug, Default)]
pub struct RequestRules {
    custom: Vec<CustomRule>,
    general: Option<Limit>,
}

impl RequestRules {
    /// The defaults with `custom` rules before them, the first that matches counting. `general` replaces the 100 requests
    /// in 10 seconds of paths without a rule.
    ///
    /// # Errors
    /// A path without a leading `/`, or a window of no time.
    pub fn new(custom: Vec<CustomRule>, general: Option<(u32, u32)>) -> Result<Self, BadRule> {
        let bad = |path: &str, why| BadRule { path: path.to_owned(), why };
        for CustomRule { path, limit } in &custom {
            if !path.starts_with('/') {
                return Err(bad(path, "it begins with a slash"));
            }
            if limit.is_some_and(|(window, _)| window == 0) {
                return Err(bad(path, "its window is at least one second"));
            }
        }
        if general.is_some_and(|(window, _)| window == 0) {
            return Err(bad("", "the window is at least one second"));
        }
        Ok(Self { custom, general: general.map(|(window, max)| request(window, max)) })
    }

    /// The limit of a path below the base path, as routed, or nothing where it is switched off.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Limit> {
        if let Some(rule) = self.custom.iter().find(|rule| matches(&rule.path, path)) {
            return rule.limit.map(|(window, max)| request(window, max));
        }
        let default = DEFAULTS.iter().find(|(paths, ..)| match paths {
            Paths::Are(all) => all.contains(&path),
            Paths::Begin(all) => all.iter().any(|start| path.starts_with(start)),
        });
        let general = self.general.unwrap_or(ANYTHING_ELSE);
        Some(default.map_or(general, |(_, window, max)| request(*window, *max)))
    }
}

/// Whether a path fits a pattern in which `*` stands for part of a segment and `**` for segments.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    segments_match(&pattern, &path)
}

fn segments_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            segments_match(rest, path)
                || path.split_first().is_some_and(|(_, later)| segments_match(pattern, later))
        }
        (Some((first, rest)), Some((segment, later))) => {
            segment_matches(first, segment) && segments_match(rest, later)
        }
        _ => false,
    }
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == segment,
        Some((start, rest)) => segment.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| tail.get(at..).is_some_and(|tail| segment_matches(rest, tail)))
        }),
    }
}
