//! Tests of the configuration reader.

use std::collections::BTreeMap;

use serde_json::json;

use super::{ClaimPath, Config, DoorSettings, EXAMPLE, OpenApiMode, dump};

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
        ("jwt-aud = \"foo://%%x\"", "jwt-aud should be a string or a valid URI"),
        (
            "admin-server-unix-socket-mode = \"599\"",
            "Invalid admin-server-unix-socket-mode: not an octal",
        ),
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
        ("$.roles[?search(@, '^adm')]", Some("admin_x")),
        ("$..r", Some("b")),
        ("$.x[*][1]", Some("c")),
        (".missing", None),
    ] {
        assert_eq!(
            ClaimPath::parse(path).unwrap().find(&claims).and_then(|value| value.as_str()),
            found,
            "{path}"
        );
    }
    for text in ["role", "$.my_role;;domain", "@@.role.other", ".role##", ".role[?(@ =)]", ""] {
        assert!(ClaimPath::parse(text).is_err(), "{text}");
    }
}

fn uri(text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
    let environment =
        environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let text = format!("db-uri = \"{text}\"");
    Config::parse(&text, &environment, &BTreeMap::new())
        .map(|config| config.db_uri)
        .map_err(|error| error.0)
}

#[test]
fn a_connection_string_in_either_form_is_completed_by_the_environment() {
    let environment = [
        ("PGHOST", "db.example"),
        ("PGPORT", "6000"),
        ("PGUSER", "login"),
        ("PGPASSWORD", "p&w"),
        ("PGDATABASE", "app"),
        ("PGSSLMODE", "verify-full"),
    ];
    let all =
        "dbname=app&host=db%2Eexample&password=p%26w&port=6000&user=login&sslmode=verify-full";
    assert_eq!(uri("postgresql://", &environment).unwrap(), format!("postgresql:///?{all}"));
    for text in [
        "postgres://u:a?b@h1:1,h2/d?sslmode=require&target_session_attrs=standby",
        "host=h1,h2 port = 1,5432 user=u password='a?b' dbname=d sslmode=require target_session_attrs=read-only",
    ] {
        assert_eq!(
            uri(text, &environment).unwrap(),
            "postgresql:///?dbname=d&host=h1&host=h2&password=a%3Fb&port=1%2C5432&\
             target_session_attrs=read%2Donly&user=u&sslmode=require",
            "{text}"
        );
    }
    assert_eq!(
        uri("host=h user=u password='it\\\\'s' dbname=d connect_timeout=3", &[]).unwrap(),
        "postgresql:///?connect_timeout=3&dbname=d&host=h&password=it%27s&user=u"
    );
    assert_eq!(
        uri("postgres://u@[::1]:5/d?fallback_application_name=x", &[]).unwrap(),
        "postgresql:///?application_name=x&dbname=d&host=%3A%3A1&port=5&user=u"
    );
    assert_eq!(uri("host=h service=x", &[]).unwrap_err(), "db-uri: `service` is not supported");
    assert!(uri("host=h gssencmode=require", &[]).is_err());
    assert!(uri("host='h", &[]).is_err());
}

#[test]
fn the_password_file_is_used_unless_others_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::temp_dir().join(format!("gatepost-pgpass-{}", std::process::id()));
    std::fs::write(&path, "# comment\nother:*:*:*:no\n*:5432:d:u:a\\:b:c\n").unwrap();
    let given = [("PGPASSFILE", path.to_str().unwrap())];
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    assert!(uri("host=h user=u dbname=d", &given).unwrap().contains("password=a%3Ab%3Ac"));
    assert!(!uri("host=h user=other dbname=d", &given).unwrap().contains("password"));
    mode(0o644);
    assert!(!uri("host=h user=u dbname=d", &given).unwrap().contains("password"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_dumped_configuration_reads_as_the_same_one() {
    let dumped = |text: &str| {
        let path = std::env::temp_dir().join(format!("gatepost-dump-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let dumped = dump(Some(&path), &BTreeMap::new(), &BTreeMap::new()).unwrap();
        std::fs::remove_file(&path).unwrap();
        dumped
    };
    let defaults = dumped("");
    assert_eq!(dumped(EXAMPLE), defaults);
    assert!(defaults.starts_with("admin-server-host = \"!4\"\nadmin-server-port = \"\"\n"));
    assert!(defaults.contains("\njwt-role-claim-key = \"$$.role\"\n"));
    let text = "db-pool-timeout = 5\nrole-claim-key = \".a[?(@ == \\\"b\\\")]\"\nmax-rows = 7\n\
                jwt-secret = \"a $$ b \\\"c\\\" 1234567890 1234567890 1\"\nlog-query = true\n\
                app.settings.x = \"y\"\ndb-pre-request = \"a.b\"\nserver-unix-socket-mode = \"777\"\n";
    let once = dumped(text);
    assert!(once.contains("\ndb-pool-max-idletime = 5\n"), "{once}");
    assert!(
        once.contains("\njwt-secret = \"a $$ b \\\"c\\\" 1234567890 1234567890 1\"\n"),
        "{once}"
    );
    assert!(once.contains("\napp.settings.x = \"y\"\n"), "{once}");
    assert_eq!(dumped(&once), once);
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
