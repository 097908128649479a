//! PostgREST's configuration file: `key = value` lines, `#` comments, strings, numbers and booleans.

use std::collections::BTreeMap;

use super::ConfigError;

/// Every key of PostgREST's file, older spellings included. Some have no effect here; `docs/data-api.md` names them.
const KEYS: [&str; 55] = [
    "admin-server-host",
    "admin-server-port",
    "admin-server-unix-socket",
    "admin-server-unix-socket-mode",
    "client-error-verbosity",
    "db-aggregates-enabled",
    "db-anon-role",
    "db-channel",
    "db-channel-enabled",
    "db-config",
    "db-extra-search-path",
    "db-hoisted-tx-settings",
    "db-max-rows",
    "db-plan-enabled",
    "db-pool",
    "db-pool-acquisition-timeout",
    "db-pool-automatic-recovery",
    "db-pool-max-idletime",
    "db-pool-max-lifetime",
    "db-pool-timeout",
    "db-pre-config",
    "db-pre-request",
    "db-prepared-statements",
    "db-root-spec",
    "db-schema",
    "db-schemas",
    "db-tx-end",
    "db-uri",
    "jwt-aud",
    "jwt-cache-max-entries",
    "jwt-role-claim-key",
    "jwt-secret",
    "jwt-secret-is-base64",
    "log-level",
    "log-query",
    "max-rows",
    "openapi-mode",
    "openapi-security-active",
    "openapi-server-proxy-uri",
    "pre-request",
    "role-claim-key",
    "root-spec",
    "secret-is-base64",
    "server-cors-allowed-origins",
    "server-host",
    "server-port",
    "server-reuseport",
    "server-timing-enabled",
    "server-trace-header",
    "server-unix-socket",
    "server-unix-socket-mode",
    "url-use-legacy-target-names",
    "internal-schema-cache-load-sleep",
    "internal-schema-cache-query-sleep",
    "internal-schema-cache-relationship-load-sleep",
];

/// Keys of other versions of PostgREST that no longer, or not yet, have an effect there: passed over.
const RETIRED: [&str; 7] = [
    "db-load-guc-config",
    "db-timezone-enabled",
    "db-use-legacy-gucs",
    "jwt-cache-max-lifetime",
    "raw-media-types",
    "server-otel-enabled",
    "server-proxy-uri",
];

/// Reads a file into keys and texts. `$(NAME)` in a string is taken from `environment`, `$$` is a dollar.
pub(super) fn parse(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    let mut rest = text;
    let mut line = 1;
    loop {
        let trimmed = rest.trim_start();
        line += lines(rest.get(..rest.len() - trimmed.len()).unwrap_or_default());
        if trimmed.is_empty() {
            return Ok(values);
        }
        if trimmed.starts_with('#') {
            let end = trimmed.find('\n').unwrap_or(trimmed.len());
            rest = trimmed.get(end..).unwrap_or_default();
            continue;
        }
        let wrong = |what: &str| ConfigError(format!("line {line}: {what}"));
        let (key, after) =
            trimmed.split_once('=').ok_or_else(|| wrong("expected `key = value`"))?;
        let key = key.trim();
        let fits = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !fits {
            return Err(wrong("expected `key = value`"));
        }
        // PostgREST passes over them: a misspelt `jwt-aud` is a check that never happens.
        if !key.starts_with("app.settings.") && !KEYS.contains(&key) {
            if !RETIRED.contains(&key) {
                return Err(wrong(&format!("unknown key `{key}`")));
            }
            tracing::warn!(key, line, "a setting that has no effect");
        }
        let after = after.trim_start_matches([' ', '\t']);
        let (value, left) = if let Some(string) = after.strip_prefix('"') {
            let (value, left) = string_value(string).ok_or_else(|| wrong("a string has no end"))?;
            (interpolate(&value, environment), left)
        } else {
            let end = after.find('\n').unwrap_or(after.len());
            let (value, left) = after.split_at_checked(end).unwrap_or((after, ""));
            (value.split('#').next().unwrap_or_default().trim().to_owned(), left)
        };
        line += lines(trimmed.get(..trimmed.len() - left.len()).unwrap_or_default());
        values.insert(key.to_owned(), value);
        rest = left;
    }
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

fn string_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(index + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn interpolate(text: &str, environment: &BTreeMap<String, String>) -> String {
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        value.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            value.push('$');
            rest = after;
        } else if let Some((name, left)) =
            after.strip_prefix('(').and_then(|after| after.split_once(')'))
        {
            value.push_str(environment.get(name).map(String::as_str).unwrap_or_default());
            rest = left;
        } else {
            value.push('$');
            rest = after;
        }
    }
    value.push_str(rest);
    value
}
