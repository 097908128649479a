use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::json;

use crate::{
    mail::{
        Invitation, Look, Message, config::MailConfig, languages::BUILT_IN, samples::samples,
        templates::escaped,
    },
    testing::TestApp,
};

use super::config;

fn look() -> Look {
    Look::new(&config()).unwrap()
}

/// Every key of a language file with the names that stand in braces in its text.
fn keys(table: &toml::Table, prefix: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for (key, value) in table {
        let path = format!("{prefix}/{key}");
        match value {
            toml::Value::Table(table) => keys(table, &path, found),
            value => {
                let text = value.to_string();
                let names = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
                found.insert(path, names.map(|(name, _)| name.to_owned()).collect());
            }
        }
    }
}

#[test]
fn every_language_has_the_same_keys_and_the_same_names_in_braces() {
    let read = |text: &str| {
        let mut found = BTreeMap::new();
        keys(&text.parse().unwrap(), "", &mut found);
        found
    };
    let english = read(BUILT_IN.iter().find(|(code, _)| *code == "en").unwrap().1);
    assert!(english.len() > 60);
    for (code, text) in BUILT_IN {
        let found = read(text);
        let missing: Vec<_> = english.keys().filter(|key| !found.contains_key(*key)).collect();
        let more: Vec<_> = found.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{code}: {missing:?} {more:?}");
        for (key, names) in &found {
            // A language may order them over subject and title as it likes, not leave one out.
            assert_eq!(names, &english[key], "{code} {key}");
        }
    }
}

#[test]
fn every_mail_is_whole_in_every_language_and_no_two_languages_say_the_same() {
    let look = look();
    let mut subjects = BTreeSet::new();
    let previews = look.previews().unwrap();
    assert_eq!(previews.len(), samples().len() * BUILT_IN.len());
    for preview in &previews {
        let (place, mail) = ((&preview.language, &preview.name), &preview.rendered);
        subjects.insert((&preview.name, &mail.subject));
        assert!(mail.html.contains(&format!("<html lang=\"{}\"", preview.language)), "{place:?}");
        for form in [&mail.subject, &mail.text, &mail.html] {
            assert!(
                !form.contains("{{") && !form.contains("{app}") && !form.is_empty(),
                "{place:?}"
            );
        }
        assert!(!mail.subject.contains(['{', '}', '\n']), "{place:?}");
        assert!(mail.text.contains("Gätepost 東京"), "{place:?}");
        assert!(!mail.text.contains("\n\n\n"), "{place:?}: {}", mail.text);
    }
    assert_eq!(subjects.len(), previews.len(), "a subject stands in two languages");
}

#[test]
fn ml_10_what_users_wrote_is_escaped_in_every_language() {
    let look = look();
    let name = "<a href=\"https://evil.test/x\">'{app}'</a>\r\nBcc: a@evil.test";
    let message = Message::OrganizationInvitation(Invitation {
        id: "i".to_owned(),
        role: "<b>".to_owned(),
        organization_name: name.to_owned(),
        inviter_name: name.to_owned(),
        inviter_email: "mallory@evil.test".to_owned(),
        url: Some("https://app.test/?a=\"><script>&b=1".to_owned()),
    });
    for code in look.languages().codes() {
        let mail = look.render(&message, code).unwrap();
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>"), "{code}");
        assert!(mail.html.contains(&escaped("https://app.test/?a=\"><script>&b=1")), "{code}");
        for form in [&mail.subject, &mail.text, &mail.html] {
            assert!(!form.contains("evil.test"), "{code}: {form}");
        }
        assert!(mail.text.contains("'{app}'"), "{code}: a name in braces in a name stays as it is");
    }
}

#[test]
fn the_language_is_the_best_that_the_browser_asks_for() {
    let look = look();
    for (accept, expected) in [
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("pt-BR, fr;q=0.7, en;q=0.3", "fr"),
        ("en;q=0.3, ja;q=0.8", "ja"),
        ("zh-Hans-CN", "zh"),
        ("de;q=0, es", "es"),
        ("DE", "de"),
        ("*", "en"),
        ("", "en"),
        ("tlh", "en"),
        ("de;q=x, fr", "fr"),
        (";;,,=;q", "en"),
    ] {
        assert_eq!(look.languages().negotiate(Some(accept)), expected, "{accept}");
    }
    assert_eq!(look.languages().negotiate(None), "en");
    let german = MailConfig { language: "de".to_owned(), ..config() };
    assert_eq!(Look::new(&german).unwrap().languages().negotiate(Some("tlh")), "de");
}

#[test]
fn a_language_that_there_is_not_is_refused_at_the_start() {
    let config = MailConfig { language: "tlh".to_owned(), ..config() };
    let error = Look::new(&config).unwrap_err().to_string();
    assert!(error.contains("mail.language") && error.contains("de, en, es"), "{error}");
}

#[test]
fn an_operator_changes_words_and_adds_a_language() {
    let directory = tempfile::tempdir().unwrap();
    let languages = directory.path().join("languages");
    fs::create_dir(&languages).unwrap();
    fs::write(languages.join("en.toml"), "[mail.magic-link]\nsubject = \"Your way into {app}\"\n")
        .unwrap();
    let italian = BUILT_IN.iter().find(|(code, _)| *code == "es").unwrap().1;
    fs::write(languages.join("it.toml"), italian).unwrap();
    let config = MailConfig {
        templates: Some(directory.path().to_owned()),
        language: "it".to_owned(),
        ..config()
    };
    let look = Look::new(&config).unwrap();
    let link = samples().into_iter().find(|message| message.kind() == "magic-link").unwrap();
    assert_eq!(look.render(&link, "en").unwrap().subject, "Your way into Gätepost 東京");
    assert!(look.render(&link, "en").unwrap().text.contains("It works once"));
    assert!(look.render(&link, "gone").unwrap().text.contains("Funciona una sola vez"));
}

#[test]
fn a_bad_language_file_is_named_with_its_line() {
    for (text, expected) in [
        ("[mail.magic-link]\nsubject = \"Hello {ap}\"\n", "en.toml:2: nothing fills {ap} in"),
        ("[mail.magic-link]\n\nsubject = \n", "line 3"),
        ("[mail.magic-link]\nbutton = \"\"\n", "en.toml:1: magic-link leads somewhere"),
        (
            "[mail.magic-lnk]\nsubject = \"x\"\ntitle = \"x\"\ntext = []\nnote = \"x\"\n",
            "en.toml:1: there is no mail \"magic-lnk\"",
        ),
        ("[mail.magic-link]\nsubjekt = \"x\"\n", "subjekt"),
        ("[common]\nsent_by = \"{who}\"\n", "en.toml:2: nothing fills {who} in"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let languages = directory.path().join("languages");
        fs::create_dir(&languages).unwrap();
        fs::write(languages.join("en.toml"), text).unwrap();
        let config = MailConfig { templates: Some(directory.path().to_owned()), ..config() };
        let error = format!("{:#}", Look::new(&config).unwrap_err());
        assert!(error.contains(expected) && error.contains("en.toml"), "{error}");
    }
}

#[tokio::test]
async fn a_mail_is_in_the_chosen_language_else_in_that_of_the_browser() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let language = async || {
        let rows =
            app.sql("select language from neon_auth.gatepost_mail order by id desc limit 1").await;
        rows[0].get::<_, Option<String>>(0).unwrap()
    };
    let ask = json!({ "email": "ada@example.com" });
    let mut french = app.browser();
    french.headers.push(("accept-language".to_owned(), "fr-CA,fr;q=0.9".to_owned()));
    french.post(&app, "/request-password-reset", ask.clone()).await;
    assert_eq!(language().await, "fr");

    let refused = ada.post(&app, "/set-language", json!({ "language": "tlh" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "LANGUAGE_NOT_SUPPORTED"));
    let chosen = ada.post(&app, "/set-language", json!({ "language": "ja-JP" })).await;
    assert_eq!(chosen.body, json!({ "status": true, "language": "ja" }));
    french.post(&app, "/request-password-reset", ask.clone()).await;
    assert_eq!(language().await, "ja");

    ada.post(&app, "/set-language", json!({})).await;
    french.post(&app, "/request-password-reset", ask).await;
    assert_eq!(language().await, "fr");
}
