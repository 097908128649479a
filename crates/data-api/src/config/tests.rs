//! Tests of the configuration reader.

use std::collections::BTreeMap;

use serde_json::json;

use super::{ClaimPath, Config, DoorSettings, OpenApiMode};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, &BTreeMap::new(), &BTreeMap::new()).map_err(|error| error.0)
}

#[test]
fn a_file_of_postgrest_is_read_unchanged() {
    let config = parse(
        "# comment\ndb-uri = \"postgres://x@localhost/y\" # more\ndb-schemas = \"a, b\"\n\ndb-pool = 3\n\
         openapi-mode=\"disabled\"\ndb-pre-request = \"auth.check\"\napp.settings.key = \"a $$ b\"\n",
    )
    .unwrap();
    assert_eq!(config.db_schemas, ["a", "b"]);
    assert_eq!(config.db_pool, 3);
    assert_eq!(config.openapi_mode, OpenApiMode::Disabled);
    assert_eq!(config.db_pre_request.unwrap().to_string(), "\"auth\".\"check\"");
    assert_eq!(config.app_settings, [("app.settings.key".to_owned(), "a $ b".to_owned())]);
}

#[test]
fn the_environment_wins_over_the_file_and_the_database_over_both() {
    let environment = BTreeMap::from([
        ("PGRST_DB_POOL".to_owned(), "4".to_owned()),
        ("PGRST_DB_MAX_ROWS".to_owned(), "10".to_owned()),
        ("PGRST_APP_SETTINGS_X".to_owned(), "1".to_owned()),
    ]);
    let database = BTreeMap::from([("db-max-rows".to_owned(), "20".to_owned())]);
    let config = Config::parse("db-pool = 3", &environment, &database).unwrap();
    assert_eq!((config.db_pool, config.db_max_rows), (4, Some(20)));
    assert_eq!(config.app_settings, [("app.settings.X".to_owned(), "1".to_owned())]);
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    for (text, reason) in [
        ("db-schemas = \"pg_catalog\"", "db-schemas does not allow schema: 'pg_catalog'"),
        ("jwt-secret = \"short\"", "The JWT secret must be at least 32 characters long."),
        ("openapi-mode = \"x\"", "Invalid openapi-mode. Check your configuration."),
        ("jwt-aud = \"a b:c\"", "jwt-aud should be a string or a valid URI"),
        (
            "server-port = 1\nadmin-server-port = 1",
            "admin-server-port cannot be the same as server-port",
        ),
        ("\n\nnonsense", "line 3: expected `key = value`"),
        ("db-uri = \"b", "line 1: a string has no end"),
        ("db-pool = 1\njwt-audd = \"b\"", "line 2: unknown key `jwt-audd`"),
    ] {
        assert_eq!(parse(text).unwrap_err(), reason, "{text}");
    }
}

#[test]
fn the_role_is_found_in_either_notation() {
    let claims =
        json!({ "role": "a", "x": { "y-z": [{ "r": "b" }, "c"] }, "roles": ["user", "admin_x"] });
    for (path, found) in [
        ("$.role", Some("a")),
        (".role", Some("a")),
        ("$.x['y-z'][0].r", Some("b")),
        (".x.\"y-z\"[1]", Some("c")),
        (".roles[?(@ ^== \"admin\")]", Some("admin_x")),
        ("$.roles[?@ == \"user\"]", Some("user")),
        (".missing", None),
    ] {
        assert_eq!(
            ClaimPath::parse(path).unwrap().find(&claims).and_then(|value| value.as_str()),
            found,
            "{path}"
        );
    }
    assert!(ClaimPath::parse("role").is_err());
}

#[test]
fn the_auth_schema_is_never_exposed_in_the_server() {
    assert!(
        Config::door(&DoorSettings::new("postgres://x@localhost/y", &["neon_auth".to_owned()]))
            .is_err()
    );
    let config =
        Config::door(&DoorSettings::new("postgres://x@localhost/y", &["public".to_owned()]))
            .unwrap();
    assert_eq!(config.db_max_rows, Some(1000));
}
