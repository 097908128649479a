//! `db-uri` as libpq reads it: a URI or `keyword=value` pairs, completed by `PGHOST` and its like and by the password file.
//!
//! PostgreSQL documentation, "Database Connection Control Functions" and "Environment Variables". What comes out is a URL whose
//! query has everything, for the driver.

use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::values::invalid;
use super::{ConfigError, password_file};

type Parameters = BTreeMap<String, String>;

const VARIABLES: [(&str, &str); 18] = [
    ("PGAPPNAME", "application_name"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGDATABASE", "dbname"),
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGOPTIONS", "options"),
    ("PGPASSFILE", "passfile"),
    ("PGPASSWORD", "password"),
    ("PGPORT", "port"),
    ("PGSERVICE", "service"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGUSER", "user"),
];

/// What the driver understands, and what `gatepost_postgres` does.
const UNDERSTOOD: [&str; 14] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "hostaddr",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// What changes nothing that is asked for here: compression and Kerberos are never used, names are always sent, the encoding is
/// always UTF-8, and dead connections are noticed sooner than usual.
const WITHOUT_EFFECT: [&str; 16] = [
    "client_encoding",
    "gssdelegation",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "max_protocol_version",
    "min_protocol_version",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// Where libpq looks for a socket when no host is given.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The URL of a connection string.
pub(super) fn complete(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, ConfigError> {
    let wrong = |what: &str| ConfigError(format!("db-uri: {what}"));
    let uri = text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"));
    let mut given = match uri {
        Some(rest) => uri_parameters(rest).ok_or_else(|| wrong("the URI cannot be read"))?,
        None if text.contains('=') => {
            pairs(text).ok_or_else(|| wrong("expected keyword=value pairs"))?.into_iter().collect()
        }
        None => Parameters::from([("dbname".to_owned(), text.to_owned())]),
    };
    given.retain(|_, value| !value.is_empty());
    for (variable, keyword) in VARIABLES {
        if let Some(value) = environment.get(variable).filter(|value| !value.is_empty()) {
            given.entry(keyword.to_owned()).or_insert_with(|| value.clone());
        }
    }
    if let Some(name) = given.remove("fallback_application_name") {
        given.entry("application_name".to_owned()).or_insert(name);
    }
    find_host(&mut given);
    find_password(&mut given, environment);
    render(&given)
}

/// The URL of a session that may write: the one that listens, among several hosts.
pub(crate) fn for_writing(url: &str) -> String {
    let kept = url.split('&').filter(|pair| !pair.starts_with("target_session_attrs="));
    format!("{}&target_session_attrs=read-write", kept.collect::<Vec<_>>().join("&"))
}

fn find_host(given: &mut Parameters) {
    if given.contains_key("host") || given.contains_key("hostaddr") {
        return;
    }
    let port = given.get("port").map_or("5432", String::as_str);
    let socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
    let host = SOCKET_DIRECTORIES.iter().find(socket).unwrap_or(&"localhost");
    given.insert("host".to_owned(), (*host).to_owned());
}

fn find_password(given: &mut Parameters, environment: &BTreeMap<String, String>) {
    let file = given
        .remove("passfile")
        .or_else(|| environment.get("HOME").map(|home| format!("{home}/.pgpass")));
    if given.contains_key("password") {
        return;
    }
    let first = |keyword: &str| {
        given.get(keyword).and_then(|value| value.split(',').next()).unwrap_or_default()
    };
    let user = match first("user") {
        "" => environment.get("USER").map(String::as_str).unwrap_or_default(),
        user => user,
    };
    let host = match first("host") {
        "" => first("hostaddr"),
        host if SOCKET_DIRECTORIES.contains(&host) => "localhost",
        host => host,
    };
    let port = Some(first("port")).filter(|port| !port.is_empty()).unwrap_or("5432");
    let database = Some(first("dbname")).filter(|name| !name.is_empty()).unwrap_or(user);
    let found = file
        .and_then(|file| password_file::password(Path::new(&file), [host, port, database, user]));
    if let Some(password) = found {
        given.insert("password".to_owned(), password);
    }
}

/// Session attributes in the driver's words.
fn session(attributes: &str) -> &str {
    match attributes {
        "primary" => "read-write",
        "standby" => "read-only",
        "prefer-standby" => "any",
        other => other,
    }
}

fn render(given: &Parameters) -> Result<String, ConfigError> {
    let mut query = Vec::new();
    let mut add = |keyword: &str, value: &str| {
        query.push(format!("{keyword}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    };
    for (keyword, value) in given {
        match keyword.as_str() {
            "host" => value.split(',').for_each(|host| add("host", host)),
            "target_session_attrs" => add(keyword, session(value)),
            // The mode is compared as it stands.
            "sslmode" => {}
            "gssencmode" if value != "require" => {}
            understood if UNDERSTOOD.contains(&understood) => add(understood, value),
            keyword if WITHOUT_EFFECT.contains(&keyword) => {}
            other => return invalid(format!("db-uri: `{other}` is not supported")),
        }
    }
    if let Some(mode) = given.get("sslmode") {
        query.push(format!("sslmode={mode}"));
    }
    Ok(format!("postgresql:///?{}", query.join("&")))
}

fn decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

/// `[user[:password]@][host[:port],…][/dbname][?keyword=value&…]`
fn uri_parameters(text: &str) -> Option<Parameters> {
    let mut found = Parameters::new();
    let mut set = |keyword: &str, value: &str| {
        found.insert(keyword.to_owned(), decoded(value)?);
        Some(())
    };
    // A password may have a question mark in it, which is why this comes first.
    let authority_end = text.find('/').unwrap_or(text.len());
    let rest = match text.get(..authority_end)?.rsplit_once('@') {
        Some((credentials, _)) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            set("user", user)?;
            set("password", password)?;
            text.get(credentials.len() + 1..)?
        }
        None => text,
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    set("dbname", database)?;
    if !hosts.is_empty() {
        let (hosts, ports): (Vec<&str>, Vec<&str>) =
            hosts.split(',').map(host_and_port).collect::<Option<Vec<_>>>()?.into_iter().unzip();
        set("host", &hosts.join(","))?;
        if ports.iter().any(|port| !port.is_empty()) {
            let ports = ports.iter().map(|port| if port.is_empty() { "5432" } else { port });
            set("port", &ports.collect::<Vec<_>>().join(","))?;
        }
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (keyword, value) = pair.split_once('=')?;
        match keyword {
            // JDBC's spelling, which libpq reads too.
            "ssl" if value == "true" => set("sslmode", "require")?,
            keyword => set(&decoded(keyword)?, value)?,
        }
    }
    Some(found)
}

fn host_and_port(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(address) => {
            let (address, rest) = address.split_once(']')?;
            Some((address, rest.strip_prefix(':').unwrap_or(rest)))
        }
        None => Some(text.split_once(':').unwrap_or((text, ""))),
    }
}

/// `keyword = value keyword = 'another value'`, with a backslash before quotes and backslashes.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=')?;
        let keyword = keyword.trim();
        if keyword.is_empty() || keyword.contains(char::is_whitespace) {
            return None;
        }
        let after = after.trim_start();
        let (inner, quoted) = match after.strip_prefix('\'') {
            Some(inner) => (inner, true),
            None => (after, false),
        };
        let (value, left) = value(inner, quoted)?;
        found.push((keyword.to_owned(), value));
        rest = left.trim_start();
    }
    Some(found)
}

/// A value up to its quote or, without one, up to a blank; what is left.
fn value(text: &str, quoted: bool) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if quoted => return Some((value, text.get(index + 1..)?)),
            c if !quoted && c.is_whitespace() => return Some((value, text.get(index..)?)),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}
