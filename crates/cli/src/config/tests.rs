use std::{
    collections::HashMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Environment, load, load_for_production, reference,
    shape::{Section, Shape},
};

const SECRET: &str = "k3NVq8Zt5rWm2Xc7Lp9Ds4Hf6Jg1Ya0BvTuQeRi";

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gatepost.toml");
    fs::write(&path, text).unwrap();
    (dir, path)
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    let (_dir, path) = file(text);
    let Err(error) = load(Some(&path), &Environment::of(variables)) else {
        panic!("these settings were taken: {text} {variables:?}")
    };
    error.to_string().replace(&path.display().to_string(), "gatepost.toml")
}

#[test]
fn every_mistake_in_a_file_is_found_with_its_line() {
    let text = "listen = \"nowhere\"\n\n[session]\nexpire_in = 5\nupdate_age = \"soon\"\n\n[sesion]\nx = 1\n";
    let found = refusal(text, &[]);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 4, "{found}");
    assert!(lines[0].starts_with("gatepost.toml:1: `listen`: "), "{found}");
    assert_eq!(
        lines[1],
        "gatepost.toml:4: unknown key `session.expire_in`; did you mean `expires_in`?"
    );
    assert!(lines[2].starts_with("gatepost.toml:5: `session.update_age`: invalid type"), "{found}");
    assert_eq!(lines[3], "gatepost.toml:7: unknown key `sesion`; did you mean `session`?");
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let found = refusal("app_name = \"x\"\nlisten = \n", &[]);
    assert!(found.starts_with("gatepost.toml:2: "), "{found}");
}

#[test]
fn a_misspelt_variable_is_refused_with_a_suggestion() {
    let found = refusal("", &[("GATEPOST_SESSION__EXPIRE_IN", "5"), ("GATEPOST_LISTENS", "x")]);
    assert!(
        found.contains("GATEPOST_SESSION__EXPIRE_IN: unknown key `session.expire_in`; did you mean `expires_in`?"),
        "{found}"
    );
    assert!(
        found.contains("GATEPOST_LISTENS: unknown key `listens`; did you mean `listen`?"),
        "{found}"
    );
}

#[test]
fn a_variable_wins_over_the_file_and_takes_the_type_of_its_key() {
    let (_dir, path) = file("app_name = \"File\"\n[session]\nexpires_in = 5\nfresh_age = 7\n");
    let variables = [
        ("GATEPOST_SESSION__EXPIRES_IN", "60"),
        ("GATEPOST_APP_NAME", "12"),
        ("GATEPOST_TRUSTED_ORIGINS", "https://a.example.com, https://b.example.com"),
        ("GATEPOST_CORS__ENABLED", "false"),
        ("GATEPOST_COOKIES__DOMAIN", "example.com"),
        ("DATABASE_URL", "postgres://somebody@localhost/things"),
    ];
    let settings = load(Some(&path), &Environment::of(&variables)).unwrap().settings;
    assert_eq!(settings.auth.session.expires_in, 60);
    assert_eq!(settings.auth.session.fresh_age, 7);
    assert_eq!(settings.auth.app_name, "12");
    assert_eq!(settings.auth.trusted_origins, ["https://a.example.com", "https://b.example.com"]);
    assert!(!settings.auth.cors.enabled);
    assert_eq!(settings.auth.cookies.domain.as_deref(), Some("example.com"));
    assert_eq!(settings.process.database_url.database().as_deref(), Some("things"));
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let (dir, path) = file("");
    let secret = dir.path().join("secret");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let place = secret.display().to_string();
    let loaded = load(Some(&path), &Environment::of(&[("GATEPOST_SECRET_FILE", &place)])).unwrap();
    assert_eq!(loaded.settings.auth.secret.reveal(), SECRET);
    let both = refusal("", &[("GATEPOST_SECRET_FILE", &place), ("GATEPOST_SECRET", SECRET)]);
    assert!(both.contains("GATEPOST_SECRET is set too"), "{both}");
}

#[test]
fn a_secret_of_the_wrong_kind_is_not_repeated() {
    let found = refusal("secret = 31415926535\ndatabase_url = 27182818284\n", &[]);
    assert!(found.contains("gatepost.toml:1: `secret`"), "{found}");
    assert!(!found.contains("31415926535") && !found.contains("27182818284"), "{found}");
}

#[test]
fn lg_07_neither_dump_nor_debug_output_shows_a_secret() {
    let (_dir, path) = file(
        "secret = \"first-secret-text\"\nprevious_secrets = [\"second-secret-text\"]\n\
         database_url = \"postgres://me:third-secret-text@db/app\"\n\
         migration_database_url = \"postgres://db/app?password=fourth-secret-text\"\n\
         [rate_limit]\nredis_url = \"redis://:fifth-secret-text@cache\"\n",
    );
    let settings = load(Some(&path), &Environment::default()).unwrap().settings;
    let dump = reference::dump(&settings).unwrap();
    assert!(dump.contains("postgres://me:hidden@db/app"), "{dump}");
    assert!(!dump.contains("-secret-text"), "{dump}");
    let debug = format!("{settings:?}");
    for text in ["first", "second", "third", "fourth"] {
        assert!(!debug.contains(&format!("{text}-secret-text")), "{debug}");
    }
}

#[test]
fn a_dump_reads_back_as_the_same_settings() {
    let (_dir, path) = file("app_name = \"Mine\"\n[session]\nexpires_in = 5\n");
    let settings = load(Some(&path), &Environment::default()).unwrap().settings;
    let dump = reference::dump(&settings).unwrap();
    let (_dir, path) = file(&dump);
    let again = load(Some(&path), &Environment::default()).unwrap().settings;
    assert_eq!(dump, reference::dump(&again).unwrap());
}

fn production_problems(text: &str) -> String {
    let (_dir, path) = file(text);
    load_for_production(Some(&path), &Environment::default())
        .map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn jw_22_weak_secrets_do_not_start() {
    let rest = "public_url = \"https://auth.example.com\"\ndatabase_url = \"postgres://db/app\"\n";
    for weak in [
        "",
        "short",
        "0123456789012345678901234567890",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabcabcabcabcabcabc",
        "gatepost-dev-5f0c8e1d2b7a49366f0c8e1d2b7a4936",
        "better-auth-secret-12345678901234567890",
    ] {
        let found = production_problems(&format!("secret = {weak:?}\n{rest}"));
        assert!(
            found.contains("secret") && found.contains("openssl rand -hex 32"),
            "{weak}: {found}"
        );
        assert!(weak.is_empty() || !found.contains(weak), "{found}");
    }
    assert_eq!(production_problems(&format!("secret = {SECRET:?}\n{rest}")), "");
}

#[test]
fn cs_06_dangerous_origins_do_not_start() {
    let rest = format!(
        "secret = {SECRET:?}\npublic_url = \"https://auth.example.com\"\ndatabase_url = \"postgres://db/app\"\n"
    );
    for origin in [
        "*",
        "https://*",
        "*.com",
        "*.co.uk",
        "example.*",
        "https://*example.com",
        "http://app.example.com",
        "https://(a|b).example.com",
    ] {
        let found = production_problems(&format!("trusted_origins = [{origin:?}]\n{rest}"));
        assert!(found.contains("trusted_origins") && found.contains(origin), "{origin}: {found}");
    }
    for origin in ["https://app.test", "*.example.com", "myapp://"] {
        assert_eq!(production_problems(&format!("trusted_origins = [{origin:?}]\n{rest}")), "");
    }
}

#[test]
fn text_messages_that_go_nowhere_do_not_start() {
    let rest = format!(
        "secret = {SECRET:?}\npublic_url = \"https://auth.example.com\"\ndatabase_url = \"postgres://db/app\"\n[features]\nphone_number = true\n"
    );
    assert!(production_problems(&rest).contains("[phone_number] sends no messages"));
    assert_eq!(production_problems(&format!("{rest}[phone_number]\ndelivery = \"webhook\"\n")), "");
}

#[test]
fn all_dangers_of_production_are_named_at_once() {
    let found = production_problems(
        "listen = \"0.0.0.0:4000\"\npublic_url = \"http://auth.example.com\"\nproduction = false\n[inbox]\nenabled = true\n",
    );
    for part in ["no secret", "no database", "unprotected", "[inbox]", "production = false"] {
        assert!(found.contains(part), "{part} is missing: {found}");
    }
}

#[test]
fn the_example_file_says_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gatepost.example.toml");
    let generated = Comments::read().example();
    if fs::read_to_string(&path).unwrap_or_default() != generated {
        fs::write(&path, generated).unwrap();
        panic!("gatepost.example.toml was out of date and is written anew: look at the difference");
    }
}

#[test]
fn the_example_file_with_every_key_switched_on_is_the_defaults() {
    let text: String = reference::EXAMPLE
        .lines()
        .map(|line| {
            let key = line
                .strip_prefix('#')
                .filter(|rest| !rest.starts_with([' ', '[']) && !rest.ends_with("unset"));
            format!("{}\n", key.unwrap_or(line))
        })
        .collect();
    let (_dir, path) = file(&text);
    let settings = load(Some(&path), &Environment::default()).unwrap().settings;
    assert_eq!(
        reference::dump(&settings).unwrap(),
        toml::to_string(&reference::defaults().unwrap()).unwrap()
    );
}

#[test]
fn the_schema_describes_every_key() {
    fn each(schema: &serde_json::Value, path: &str) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(value["description"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
            each(value, &path);
        }
    }
    let schema = reference::schema();
    each(&schema, "");
    assert_eq!(schema["properties"]["session"]["properties"]["expires_in"]["type"], "integer");
    assert_eq!(schema["properties"]["log"]["properties"]["format"]["enum"][1], "json");
    assert_eq!(schema["properties"]["session"]["additionalProperties"], false);
}

/// The doc comments of the settings' types: by the type's name and a field's.
struct Comments(HashMap<(String, Vec<String>), HashMap<String, String>>);

impl Comments {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files =
            vec![root.join("src/config/process.rs"), root.join("src/config/data_api.rs")];
        rust_files(&root.join("../auth/src"), &mut files);
        let mut all = HashMap::new();
        for file in files {
            structs(&fs::read_to_string(file).unwrap(), &mut all);
        }
        Self(all)
    }

    fn of(&self, section: &Section, key: &str) -> String {
        let keys: Vec<String> = section.keys.iter().map(|(key, _)| (*key).to_owned()).collect();
        let candidates: Vec<_> = self
            .0
            .iter()
            // The settings as a whole are two structs, of the process and of the auth server.
            .filter(|((name, fields), _)| match section.name {
                "Settings" => {
                    matches!(name.as_str(), "Process" | "Config")
                        && fields.iter().all(|field| keys.contains(field))
                }
                _ => name == section.name && *fields == keys,
            })
            .filter_map(|(_, fields)| fields.get(key))
            .collect();
        let comment = candidates
            .first()
            .unwrap_or_else(|| panic!("no comment for {key} of {}", section.name));
        (*comment).clone()
    }

    fn example(&self) -> String {
        let mut text = "\
# Every setting of Gatepost with its default. Copy what you change into gatepost.toml.
#
# Each can also be set by a variable: GATEPOST_SESSION__EXPIRES_IN is expires_in of [session]. DATABASE_URL is
# database_url. With _FILE at the end of its name, a variable names a file that holds the secret.

"
        .to_owned();
        let defaults = reference::defaults().unwrap();
        self.section(&reference::shape(), "", Some(&defaults), &mut text);
        text
    }

    fn section(
        &self,
        section: &Section,
        path: &str,
        defaults: Option<&toml::Table>,
        text: &mut String,
    ) {
        let (sections, keys): (Vec<_>, Vec<_>) =
            section.keys.iter().partition(|(_, shape)| matches!(shape, Shape::Section(_)));
        for (key, shape) in keys {
            write!(text, "{}", commented(&self.of(section, key))).unwrap();
            if let Shape::Word(words) = shape {
                writeln!(text, "# One of: {}.", words.join(", ")).unwrap();
            }
            match defaults.and_then(|defaults| defaults.get(*key)) {
                Some(toml::Value::Table(_)) => writeln!(text, "#{key} = {{}}").unwrap(),
                Some(default) => writeln!(text, "#{key} = {default}").unwrap(),
                None => writeln!(text, "#{key} = unset").unwrap(),
            }
            text.push('\n');
        }
        for (key, shape) in sections {
            let Shape::Section(inner) = shape else { continue };
            let path = if path.is_empty() { (*key).to_owned() } else { format!("{path}.{key}") };
            let defaults =
                defaults.and_then(|defaults| defaults.get(*key)).and_then(toml::Value::as_table);
            // Its presence alone would switch something on.
            let mark = if defaults.is_none() { "#" } else { "" };
            writeln!(text, "{}{mark}[{path}]", commented(&self.of(section, key))).unwrap();
            self.section(inner, &path, defaults, text);
        }
    }
}

fn commented(comment: &str) -> String {
    comment.lines().fold(String::new(), |text, line| text + "# " + line + "\n")
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn structs(source: &str, all: &mut HashMap<(String, Vec<String>), HashMap<String, String>>) {
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some((_, rest)) = line.split_once("struct ") else { continue };
        if line.starts_with(' ') || !rest.ends_with('{') {
            continue;
        }
        let name = rest.trim_end_matches(['{', ' ']).to_owned();
        let (mut order, mut fields, mut comment) = (Vec::new(), HashMap::new(), Vec::new());
        for line in lines.by_ref().take_while(|line| *line != "}") {
            let line = line.trim();
            if let Some(words) = line.strip_prefix("///") {
                comment.push(words.trim());
            } else if line.starts_with("pub")
                && let Some((before, _)) = line.split_once(": ")
                && let Some(field) = before.split(' ').next_back()
            {
                order.push(field.to_owned());
                fields.insert(field.to_owned(), comment.join("\n"));
                comment.clear();
            }
        }
        all.insert((name, order), fields);
    }
}
