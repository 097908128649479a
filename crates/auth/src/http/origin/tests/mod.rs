mod csrf;
mod entries;
mod properties;
mod redirects;

use url::Url;

use super::{AmbiguousRedirects, Rules, TrustedOrigins};

const PRODUCTION: Rules = Rules {
    production: true,
    allow_localhost: false,
    ambiguous_redirects: AmbiguousRedirects::Refused,
};
const AS_RECORDED: Rules = Rules {
    production: false,
    allow_localhost: false,
    ambiguous_redirects: AmbiguousRedirects::Rewritten,
};

fn origins(own: &str, entries: &[&str], rules: Rules) -> TrustedOrigins {
    let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
    TrustedOrigins::parse(&Url::parse(own).unwrap(), &entries, rules).unwrap()
}

/// `https://app.test` and `*.example.com`, as the attack cases say.
fn attacked() -> TrustedOrigins {
    origins("https://auth.test/neondb/auth", &["https://app.test", "*.example.com"], PRODUCTION)
}

/// The configuration of the recorded cases.
fn recorded() -> TrustedOrigins {
    let entries = ["http://localhost:3000", "https://*.trusted.example", "myapp://"];
    origins("http://localhost:4100/api/auth", &entries, AS_RECORDED)
}
