//! Single values: what each may be, and what is said of others.

use super::source::{Source, commas};
use super::{ConfigError, LogLevel, OpenApiMode};
use crate::verify::Keys;

pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(message.into()))
}

pub(super) fn schemas(source: &Source<'_>) -> Result<Vec<String>, ConfigError> {
    let schemas = match source.text_or("db-schemas", "db-schema") {
        None => vec!["public".to_owned()],
        Some(text) => commas(&text),
    };
    for hidden in ["pg_catalog", "information_schema", "neon_auth"] {
        if schemas.iter().any(|schema| schema == hidden) {
            return invalid(format!("db-schemas does not allow schema: '{hidden}'"));
        }
    }
    if schemas.is_empty() { invalid("db-schemas is empty") } else { Ok(schemas) }
}

pub(super) fn tx_end(source: &Source<'_>) -> Result<(bool, bool), ConfigError> {
    match source.text("db-tx-end").as_deref() {
        None | Some("commit") => Ok((false, false)),
        Some("commit-allow-override") => Ok((false, true)),
        Some("rollback") => Ok((true, false)),
        Some("rollback-allow-override") => Ok((true, true)),
        Some(_) => invalid("Invalid transaction termination. Check your configuration."),
    }
}

fn read_file(path: &str) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError(format!("{path}: {error}")))
}

/// `db-uri` as it was given, or what the file that it names says.
pub(super) fn db_uri(source: &Source<'_>) -> Result<String, ConfigError> {
    let uri = source.text("db-uri").unwrap_or_else(|| "postgresql://".to_owned());
    match uri.strip_prefix('@') {
        None => Ok(uri),
        Some(path) => Ok(String::from_utf8_lossy(&read_file(path)?).trim().to_owned()),
    }
}

/// `jwt-secret` as it was given, or what the file that it names says, and whether that is base64.
pub(super) fn secret_text(source: &Source<'_>) -> Result<(Option<Vec<u8>>, bool), ConfigError> {
    let base64 =
        source.flag("jwt-secret-is-base64", false) || source.flag("secret-is-base64", false);
    let Some(text) = source.text("jwt-secret") else { return Ok((None, base64)) };
    let Some(path) = text.strip_prefix('@') else { return Ok((Some(text.into_bytes()), base64)) };
    let mut content = read_file(path)?;
    content.pop_if(|last| *last == b'\n');
    Ok((Some(content), base64))
}

/// Keys, or where they are published.
pub(super) fn secret(source: &Source<'_>) -> Result<(Option<Keys>, Option<String>), ConfigError> {
    let (Some(secret), base64) = secret_text(source)? else { return Ok((None, None)) };
    if secret.starts_with(b"https://") || secret.starts_with(b"http://") {
        return Ok((None, Some(String::from_utf8_lossy(&secret).trim().to_owned())));
    }
    Keys::from_secret(&secret, base64).map(|keys| (Some(keys), None)).map_err(ConfigError)
}

pub(super) fn jwt_aud(source: &Source<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = source.text("jwt-aud") else { return Ok(None) };
    // RFC 7519 section 2: a StringOrURI with a colon must be a URI.
    if text.contains(':') && !is_uri(&text) {
        return invalid("jwt-aud should be a string or a valid URI");
    }
    Ok(Some(text))
}

/// RFC 3986, as far as its characters go.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let escaped = |escape: &str| {
        escape.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    scheme_fits
        && !rest.chars().any(|c| c.is_whitespace() || "<>\"{}|\\^`".contains(c))
        && rest.split('%').skip(1).all(escaped)
}

pub(super) fn log_level(source: &Source<'_>) -> Result<LogLevel, ConfigError> {
    match source.text("log-level").as_deref() {
        Some("crit") => Ok(LogLevel::Crit),
        None | Some("error") => Ok(LogLevel::Error),
        Some("warn") => Ok(LogLevel::Warn),
        Some("info") => Ok(LogLevel::Info),
        Some("debug") => Ok(LogLevel::Debug),
        Some(_) => invalid("Invalid logging level. Check your configuration."),
    }
}

pub(super) fn openapi_mode(source: &Source<'_>) -> Result<OpenApiMode, ConfigError> {
    match source.text("openapi-mode").as_deref() {
        None | Some("follow-privileges") => Ok(OpenApiMode::FollowPrivileges),
        Some("ignore-privileges") => Ok(OpenApiMode::IgnorePrivileges),
        Some("disabled") => Ok(OpenApiMode::Disabled),
        Some(_) => invalid("Invalid openapi-mode. Check your configuration."),
    }
}

pub(super) fn minimal_errors(source: &Source<'_>) -> Result<bool, ConfigError> {
    match source.text("client-error-verbosity").as_deref() {
        None | Some("verbose") => Ok(false),
        Some("minimal") => Ok(true),
        Some(_) => invalid("Invalid client-error-verbosity. Check your configuration."),
    }
}

/// Settings of functions that hold for the whole transaction.
pub(super) fn hoisted(source: &Source<'_>) -> Vec<String> {
    const USUAL: &str =
        "statement_timeout, plan_filter.statement_cost_limit, default_transaction_isolation";
    commas(source.text("db-hoisted-tx-settings").as_deref().unwrap_or(USUAL))
}

pub(super) fn proxy_uri(source: &Source<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = source.text("openapi-server-proxy-uri") else { return Ok(None) };
    let fits = text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    if fits {
        Ok(Some(text))
    } else {
        invalid("Malformed proxy uri, a correct example: https://example.com:8443/basePath")
    }
}

/// The mode of a Unix socket, `key` being which.
pub(super) fn socket_mode(source: &Source<'_>, key: &str) -> Result<u32, ConfigError> {
    let Some(text) = source.text(key) else { return Ok(0o660) };
    match u32::from_str_radix(&text, 8) {
        Err(_) => invalid(format!("Invalid {key}: not an octal")),
        Ok(mode) if (0o600..=0o777).contains(&mode) => Ok(mode),
        Ok(_) => invalid(format!("Invalid {key}: needs to be between 600 and 777")),
    }
}
